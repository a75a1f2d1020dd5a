"""Spreads, ratios and tables: the arithmetic of the benchmark, and how it prints."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

# Progress is shown for anything that takes longer.
_PROGRESS_SECONDS = 2


@dataclass(frozen=True)
class Spread:
    """Several measurements of one thing."""

    minimum: float
    median: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Raises `statistics.StatisticsError` if there are none."""
        return cls(min(values, default=0), statistics.median(values), max(values, default=0))

    def text(self, scale: float = 1, digits: int = 0) -> str:
        """The median with the two others behind it: `12 (11 to 15)`."""
        low, middle, high = (f"{scale * value:,.{digits}f}" for value in (self.minimum, self.median, self.maximum))
        return middle if low == high else f"{middle} ({low} to {high})"

    def cells(self, floor: Spread, scale: float, digits: int = 0) -> tuple[str, str]:
        """All three, and how many times the floor's: by the minima, which know no load, and by the medians."""
        three = " / ".join(f"{scale * value:,.{digits}f}" for value in (self.minimum, self.median, self.maximum))
        return three, f"{_short(self.minimum / floor.minimum)} / {_short(self.median / floor.median)}"


def _short(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


@dataclass(frozen=True)
class Table:
    """What one benchmark found."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What charts are drawn of."""

    def markdown(self) -> str:
        """For a terminal and for a page."""
        lines = [self.header, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        texts = [
            "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
            for line in lines
        ]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([f"## {self.title}", "", self.notes, "", texts[0], rule, *texts[1:], ""])


def in_turns(contestants: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Measure each contestant once a round, so that all of them meet the same weather; every second round backwards."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    shown = time.monotonic()
    for number in range(rounds):
        names: Iterable[str] = contestants if number % 2 == 0 else reversed(list(contestants))
        for name in names:
            if time.monotonic() - shown > _PROGRESS_SECONDS:
                progress(f"round {number + 1} of {rounds}: {name}")
                shown = time.monotonic()
            found[name].append(contestants[name]())
    return found


def progress(text: str) -> None:
    """Print on standard error what is being done."""
    print(f"  {text}", file=sys.stderr, flush=True)
