"""One log line and a few metrics for each invocation."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rotator.domain.errors import RotatorError
from rotator.domain.event import Trigger
from rotator.domain.result import Outcome, Result


class Report:
    """Tells how one invocation ended: `with Report(...) as report: ...; report.result(result)`.

    An exception is told of too, and goes on: Lambda logs its stack.
    """

    def __init__(
        self,
        logger: Logger,
        metrics: Metrics,
        account: str,
        trigger: Trigger,
        *,
        reason: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._logger = logger
        self._metrics = metrics
        self._account = account
        self._trigger = trigger
        self._reason = reason
        self._clock = clock
        self._started = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        expires_at = error.expires_at if isinstance(error, RotatorError) else None
        remaining = self._remaining_seconds(expires_at)
        self._logger.error(
            "failed",
            account=self._account,
            trigger=str(self._trigger),
            error=type(error).__name__,
            problem=" ".join([str(error), *getattr(error, "__notes__", [])]),
            remaining_seconds=remaining,
            duration_seconds=self._seconds(),
            reason=self._reason,
        )
        refused = isinstance(error, RotatorError) and error.credentials_refused
        self._flush(RotationFailed=1, TokenRemainingSeconds=remaining, CredentialsRefused=1 if refused else None)

    def result(self, result: Result) -> None:
        """Log how it ended and write its metrics; a warning makes the line one of level WARNING."""
        # What is missing or unreadable has no life left; but a dry run goes on where the secret itself cannot be read.
        unknown = result.outcome is Outcome.CHECKED and result.version_id is None
        remaining = None if unknown else self._remaining_seconds(result.expires_at or 0)
        log = self._logger.warning if result.warnings else self._logger.info
        log(
            str(result.outcome),
            account=self._account,
            trigger=str(self._trigger),
            version_id=result.version_id,
            remaining_seconds=remaining,
            duration_seconds=self._seconds(),
            reason=self._reason,
            warnings=list(result.warnings),
        )
        coalesced = result.outcome in (Outcome.SUPERSEDED, Outcome.IN_PROGRESS)
        self._flush(
            Rotated=int(result.outcome is Outcome.ROTATED),
            RotationFailed=0,
            RenewalCoalesced=int(coalesced) if self._trigger is Trigger.REJECTED else None,
            LockUnavailable=None if result.locked else 1,
            VersionBudgetLeft=result.version_budget_left,
            TokenRemainingSeconds=remaining,
            TokenEndpointLatency=result.token_endpoint_seconds,
            CredentialsRefused=None if result.credentials_refused is None else int(result.credentials_refused),
        )

    def _flush(self, **values: float | None) -> None:
        self._metrics.add_dimension("account", self._account)
        for name, value in values.items():
            if value is not None:
                unit = MetricUnit.Seconds if name in _IN_SECONDS else MetricUnit.Count
                self._metrics.add_metric(name, unit, value)
        self._metrics.flush_metrics()

    def _remaining_seconds(self, expires_at: int | None) -> int | None:
        return None if expires_at is None else max(0, round(expires_at - self._clock()))

    def _seconds(self) -> float:
        return round(self._clock() - self._started, 3)


_IN_SECONDS = ("TokenRemainingSeconds", "TokenEndpointLatency")
