"""Waits for what another process does."""

import time
from collections.abc import Callable


def until[T](probe: Callable[[], T], seconds: float = 60.0) -> T:
    """Ask `probe` until it answers something true, and return that; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"nothing after {seconds:g} s"
        time.sleep(0.1)
    return answer
