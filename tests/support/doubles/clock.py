"""A clock that only tests and sleepers move."""

from __future__ import annotations

START = 1_795_472_989.25


class Clock:
    """Seconds since the epoch; `sleep` moves it and remembers for how long."""

    def __init__(self, now: float = START) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        self.now += minutes * 60 + seconds
