"""The command `talend-token`, which is in the wheel but not in the packages for Lambda."""
