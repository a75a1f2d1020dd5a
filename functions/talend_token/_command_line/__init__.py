"""The command `talend-token`. It is in the wheel, and not in what runs on Lambda."""
