"""Many threads that start at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

# Less than the default of 8 MiB of address space a thread: 500 of them fit anywhere.
_STACK_BYTES = 512 * 1024


@dataclass(frozen=True)
class Outcome:
    """How a crowd's calls ended."""

    results: list[object]
    """What each caller got: a value, or the exception."""
    seconds: float
    """From the moment when all were there until the last one was done."""


def of_threads(call: Callable[[], object], count: int) -> Outcome:
    """Make the call in `count` threads at once."""
    barrier = threading.Barrier(count + 1)
    results: list[object] = []

    def caller() -> None:
        barrier.wait()
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001 (what a caller would see is what is counted)
            results.append(error)

    before = threading.stack_size(_STACK_BYTES)
    try:
        threads = [threading.Thread(target=caller) for _ in range(count)]
        for thread in threads:
            thread.start()
    finally:
        threading.stack_size(before)
    barrier.wait()
    started = time.monotonic()
    for thread in threads:
        thread.join()
    return Outcome(results, time.monotonic() - started)
