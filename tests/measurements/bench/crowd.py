"""Many callers that start at the same moment, as threads or as asyncio tasks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
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


def at_a_moment(moment: float, calls: Sequence[Callable[[], int]]) -> list[tuple[float, int | str]]:
    """Make all calls at a moment, a time since the epoch: seconds from it, and the status or what went wrong."""
    ends: list[tuple[float, int | str]] = []

    def caller(call: Callable[[], int]) -> None:
        time.sleep(max(0.0, moment - time.time()))
        try:
            end: int | str = call()
        except Exception as error:  # noqa: BLE001 (what a consumer would see is what is counted)
            end = type(error).__name__
        ends.append((time.time() - moment, end))

    threads = [threading.Thread(target=caller, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


async def of_tasks(call: Callable[[], Awaitable[object]], count: int) -> Outcome:
    """Make the call in `count` tasks of this loop at once."""
    started = time.monotonic()
    results = await asyncio.gather(*(call() for _ in range(count)), return_exceptions=True)
    return Outcome(list(results), time.monotonic() - started)
