"""The interpreter alone."""

print("no token", flush=True)
