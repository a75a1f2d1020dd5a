"""Waiting for what another process does."""

import time
from collections.abc import Callable
from pathlib import Path


def eventually[T](ask: Callable[[], T], seconds: float = 20.0) -> T:
    """Ask until the answer is not empty, and return it; `TimeoutError` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Still {answer!r} after {seconds:g} seconds.")
        time.sleep(0.02)
    return answer


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than an entry that waits for its parent."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
