"""Spreads, tables and fair turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Self


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
    for number in range(rounds):
        for name in list(contestants)[:: -1 if number % 2 else 1]:
            found[name].append(contestants[name]())
    return found
