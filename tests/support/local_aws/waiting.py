"""Waiting for what another process does."""

import time
from collections.abc import Callable
from pathlib import Path

# Far longer than anything takes on an idle machine: only a failing test waits for so long.
PATIENCE_SECONDS = 120.0
# The first questions come quickly, the later ones leave the processor to what is being waited for.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.2


def eventually[T](ask: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until the answer is not empty, and return it. Raises `TimeoutError` after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"Still {answer!r} after {seconds:g} seconds.")
        time.sleep(pause)
        pause = min(1.3 * pause, LONGEST_PAUSE_SECONDS)
    return answer


def is_running(pid: int) -> bool:
    """Return whether a process runs: one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
