"""Which modules share a deployment, because their time runs at the same speed, or a built release."""

# How many times faster than the clock. At 60 a minute is a second.
SPEEDS = {
    "test_consumer": 1,
    "test_renewal": 1,
    "test_update": 1,
    "test_operations": 60,
    "test_outage": 60,
    "test_two_stacks": 60,
    "test_accounts": 60,
}
# These get a new deployment. The many accounts of the first take as long as all others that share, and the second hears
# the notices of every alarm.
ALONE = {"test_accounts", "test_outage"}
# These build this tree as a release.
RELEASED = {"test_release", "test_update"}


def group_of(file: str) -> str:
    """Return the name of the group of files that one process runs, one after the other."""
    stem = file.rsplit("/", 1)[-1].removesuffix(".py")
    if stem in RELEASED:
        return "e2e of a release"
    return f"e2e at speed {SPEEDS[stem]}" if stem in SPEEDS and stem not in ALONE else file
