"""The size of an experiment: one for every run of the tests, and one for `make faults`."""

from __future__ import annotations

import os


def chosen[T](ci: T, long: T) -> T:
    """Return `long` if the environment says `FAULTS=long`, as `make faults` does, and `ci` otherwise."""
    return long if os.environ.get("FAULTS") == "long" else ci
