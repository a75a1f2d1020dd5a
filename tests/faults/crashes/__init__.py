"""A run is killed at each call to the outside."""
