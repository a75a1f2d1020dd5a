"""Prints data on standard output, and everything else on standard error."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COLORS = {"green": "32", "yellow": "33", "red": "31", "faint": "2"}
_BAR_CELLS = 10
_FRAME_SECONDS = 0.1


class Screen:
    """Uses color and progress only in a terminal, and never with NO_COLOR [no-color.org]."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        plain = bool(environment.get("NO_COLOR")) or environment.get("TERM") == "dumb"
        self._is_colored = sys.stdout.isatty() and not plain
        self._is_animated = sys.stderr.isatty() and not plain
        self._is_unicode = "utf" in (sys.stdout.encoding or "").lower()

    def print(self, text: str) -> None:
        """Print data."""
        print(text, flush=True)

    def say(self, text: str) -> None:
        """Print a line that is not data."""
        print(text, file=sys.stderr)

    def color(self, text: str, color: str) -> str:
        """Return the text in a color."""
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m" if self._is_colored else text

    def mark(self, ok: bool) -> str:
        """Return a check mark or a cross."""
        if not self._is_unicode:
            return "ok" if ok else "no"
        return self.color("✓", "green") if ok else self.color("✗", "red")

    def bar(self, fraction: float) -> str:
        """Return a bar that is full at 1."""
        cells = round(max(0.0, min(1.0, fraction)) * _BAR_CELLS)
        full, empty = ("█", "░") if self._is_unicode else ("#", ".")
        return full * cells + empty * (_BAR_CELLS - cells)

    @contextmanager
    def progress(self, text: str) -> Iterator[None]:
        """Show the text and the elapsed time until the block ends."""
        if not self._is_animated:
            yield
            return
        ended = threading.Event()
        animation = threading.Thread(target=_animate, args=(text, ended), daemon=True)
        animation.start()
        try:
            yield
        finally:
            ended.set()
            animation.join()
            # Erase the line.
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _animate(text: str, ended: threading.Event) -> None:
    start = time.monotonic()
    while True:
        print(f"\r{text} ({time.monotonic() - start:.0f} s)", end="", file=sys.stderr, flush=True)
        if ended.wait(_FRAME_SECONDS):
            return
