"""Bursts of consumers, and the memory of a warm process."""
