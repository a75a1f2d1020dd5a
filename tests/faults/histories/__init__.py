"""Random histories in virtual time."""
