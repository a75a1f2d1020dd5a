"""Spreads, tables, fair turns and herds of calls."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Self

_PROGRESS_SECONDS = 2


class Spread(NamedTuple):
    """Several measurements of one thing."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the spread of one value or more."""
        return cls(min(values), statistics.median(values), max(values))

    def text(self, digits: int = 0) -> str:
        """Return the median with the two others behind it: `12 (11 to 15)`."""
        low, middle, high = (f"{value:,.{digits}f}" for value in self)
        return middle if low == high else f"{middle} ({low} to {high})"

    def cells(self, floor: Spread, scale: float, digits: int = 0) -> tuple[str, str]:
        """Return all three, and the ratios to the floor's minimum, which knows no load, and to its median."""
        three = " / ".join(f"{scale * value:,.{digits}f}" for value in self)
        ratios = (self.minimum / floor.minimum, self.median / floor.median)
        return three, " / ".join(f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}" for ratio in ratios)


class Seconds(NamedTuple):
    """The duration of a measurement, and the CPU time of the measured process, user and system."""

    wall: float
    cpu: float


def spreads(found: Mapping[str, Sequence[Seconds]]) -> tuple[dict[str, Spread], dict[str, Spread]]:
    """Return the spreads of duration and CPU time of each contestant."""
    return (
        {name: Spread.of([each.wall for each in seconds]) for name, seconds in found.items()},
        {name: Spread.of([each.cpu for each in seconds]) for name, seconds in found.items()},
    )


class Table(NamedTuple):
    """The result of one benchmark."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str

    def markdown(self) -> str:
        """Return the table for a terminal and for a page."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [self.header, ["-" * width for width in widths], *self.rows]
        texts = [" | ".join(map(str.ljust, line, widths)) for line in lines]
        return "\n".join([f"## {self.title}", "", self.notes, "", *(f"| {text} |" for text in texts), ""])


def in_turns[T](contestants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Measure each contestant once a round, and every second round backwards, so that all meet the same weather."""
    found: dict[str, list[T]] = {name: [] for name in contestants}
    names, shown = list(contestants), time.monotonic()
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            if time.monotonic() - shown > _PROGRESS_SECONDS:
                progress(f"round {number + 1} of {rounds}: {name}")
                shown = time.monotonic()
            found[name].append(contestants[name]())
    return found


def at_once(call: Callable[[], object], count: int) -> tuple[list[object], float]:
    """Make the call in many threads at the same moment, and return what each got, an error too, and the seconds."""
    barrier = threading.Barrier(count + 1)

    def caller() -> object:
        barrier.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 (it counts as an end of the call)
            return error

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(caller) for _ in range(count)]
        barrier.wait()
        started = time.monotonic()
        return [one.result() for one in calls], time.monotonic() - started


def progress(text: str) -> None:
    """Print the current step on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)
