"""The log lines of runs in memory, written by production's code and checked against their specification."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from aws_lambda_powertools import Logger, Metrics

from doubles.lock import RECORD_SECONDS
from faults.invariants import InvariantBroken, Sight
from log_line import LOST, SEEN, Impossible, Line
from log_specification import STALE_SECONDS, check
from rotator.adapters.telemetry import InvocationReport, reported


class Journal:
    """The log of both functions, whose clock is `clock`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lines: list[Line] = []
        self.stale_seconds = STALE_SECONDS
        self._clock = clock
        self._under_way: list[Line] = []
        """The runs that have not ended: nothing is known of them yet."""
        self._outdated: frozenset[str] = frozenset()
        self._outdated_until = -math.inf

    @contextmanager
    def run(self, service: str) -> Iterator[InvocationReport]:
        """Write the line of a run at its end, unless it is killed."""
        recorder, began = Recorder(service), self._clock()
        unknown = Line(began, began, LOST, service=service)
        self._under_way.append(unknown)
        try:
            with reported(cast(Logger, recorder), cast(Metrics, recorder), self._clock) as report:
                yield report
        finally:
            at = self._clock()
            line = Line.of(recorder.record, at) if recorder.record else None
            # A run that was under way at the last check may report the time before.
            is_current = any(other is unknown for other in self._under_way)
            if line is None or not is_current or (line.version_id in self._outdated and began < self._outdated_until):
                line = replace(unknown, at=at)
            self.lines.append(line)
            self._under_way = [line for line in self._under_way if line is not unknown]

    def saw(self, sight: Sight) -> None:
        """Note a direct read of the token secret."""
        self.lines.append(Line(self._clock(), self._clock(), SEEN, version_id=sight.version_id))

    def changed_by_hand(self, outdated: Iterable[str]) -> None:
        """Note that an operator has just changed the token secret.

        For a moment, stale reads and the lock's memory still name outdated versions.

        Raises:
            InvariantBroken: the functions cannot have written a line.
        """
        self.check()
        self._outdated = frozenset(outdated)
        self._outdated_until = self._clock() + RECORD_SECONDS + STALE_SECONDS

    def check(self) -> None:
        """Check the lines since the last check against the specification.

        Raises:
            InvariantBroken: the functions cannot have written a line.
        """
        try:
            under_way = [replace(line, at=max(line.at, self._clock())) for line in self._under_way]
            check([*self.lines, *under_way], stale_seconds=self.stale_seconds)
        except Impossible as impossible:
            raise InvariantBroken(f"the log cannot have happened: {impossible.why}: {impossible.line}") from None
        self.lines.clear()
        self._under_way.clear()


class Recorder:
    """Records what a run logs, in place of a logger and of metrics."""

    def __init__(self, service: str) -> None:
        self.record: dict[str, Any] = {}
        self._service = service

    def info(self, message: str, **members: Any) -> None:
        self.record = {"message": message, "service": self._service, **members}

    warning = error = info

    def ignore(self, *_: Any) -> None:
        """Ignore metrics."""

    add_dimension = add_metric = flush_metrics = ignore
