"""The log lines of runs in memory, by the code that writes them in production, held against their specification."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from aws_lambda_powertools import Logger, Metrics

from faults.invariants import InvariantBroken, Sight
from log_line import LOST, SEEN, Impossible, Line
from log_specification import STALE_SECONDS, check
from rotator.adapters.telemetry import InvocationReport, reported


class Journal:
    """Stands in for the logger and the metrics of both functions. `clock` is theirs."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lines: list[Line] = []
        self.stale_seconds = STALE_SECONDS
        self._clock = clock
        self._under_way: list[Line] = []
        """The runs that have not ended: nothing is known of them yet."""

    @contextmanager
    def run(self, service: str) -> Iterator[InvocationReport]:
        """Write the line of a run at its end: none if it dies."""
        recorder, began = Recorder(service), self._clock()
        unknown = Line(began, began, LOST, service=service)
        self._under_way.append(unknown)
        try:
            with reported(cast(Logger, recorder), cast(Metrics, recorder), self._clock) as report:
                yield report
        finally:
            at = self._clock()
            # What a run says that was under way at the last check may be of the time before.
            is_known = recorder.record and any(line is unknown for line in self._under_way)
            self.lines.append(Line.of(recorder.record, at) if is_known else replace(unknown, at=at))
            self._under_way = [line for line in self._under_way if line is not unknown]

    def saw(self, sight: Sight) -> None:
        """The token secret was read directly."""
        self.lines.append(Line(self._clock(), self._clock(), SEEN, version_id=sight.version_id))

    def check(self) -> None:
        """Hold the lines since the last check against the specification.

        Raises:
            InvariantBroken: there is a line that the functions cannot have written.
        """
        try:
            check([*self.lines, *self._under_way], stale_seconds=self.stale_seconds)
        except Impossible as impossible:
            raise InvariantBroken(f"the log cannot have happened: {impossible.why}: {impossible.line}") from None
        self.lines.clear()
        self._under_way.clear()


class Recorder:
    """Takes what a run logs and measures."""

    def __init__(self, service: str) -> None:
        self.record: dict[str, Any] = {}
        self._service = service

    def info(self, message: str, **members: Any) -> None:
        self.record = {"message": message, "service": self._service, **members}

    warning = error = info

    def add_dimension(self, name: str, value: str) -> None:
        """Metrics are not looked at."""

    def add_metric(self, name: str, unit: str, value: float) -> None:
        """Metrics are not looked at."""

    def flush_metrics(self) -> None:
        """Metrics are not looked at."""
