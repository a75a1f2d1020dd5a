"""Writes one log line and a few metrics for each invocation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.result import Outcome, Result

_COALESCED = (Outcome.SUPERSEDED, Outcome.IN_PROGRESS)


@dataclass
class InvocationReport:
    """The facts about an invocation that its log line and metrics report."""

    stack: str = ""
    """The stack's name, a dimension that separates the metrics of two stacks."""
    invocation: Invocation | None = None
    result: Result | None = None


@contextmanager
def reported(logger: Logger, metrics: Metrics, clock: Callable[[], float] = time.time) -> Iterator[InvocationReport]:
    """Yield a report for the block to fill in, then log it and write its metrics.

    An exception is reported too and then propagates, so that Lambda logs its stack trace.
    """
    started, report, failure = clock(), InvocationReport(), None
    try:
        yield report
    except Exception as error:
        failure = error
        raise
    finally:
        invocation, result = report.invocation, report.result
        expires_at = invocation.expires_at if invocation else None
        if result and result.expires_at is not None:
            expires_at = result.expires_at
        remaining = None if expires_at is None else max(0, round(expires_at - clock()))
        line: dict[str, Any] = {"remaining_seconds": remaining, "duration_seconds": round(clock() - started, 3)}
        if invocation:
            line |= {"account": invocation.account or None, "trigger": str(invocation.trigger)}
            line |= {"reason": invocation.reason, "warnings": invocation.warnings}
        if failure:
            logger.error("failed", error=type(failure).__name__, problem=str(failure), **line)
        elif result:
            log = logger.warning if line.get("warnings") else logger.info
            log(str(result.outcome), version_id=result.version_id, **line)
        if invocation and not (result and result.outcome is Outcome.IGNORED):
            _write_metrics(metrics, report.stack, invocation, result, remaining)


def _write_metrics(
    metrics: Metrics, stack: str, invocation: Invocation, result: Result | None, remaining_seconds: int | None
) -> None:
    """Write only the metrics that have a value, because CloudWatch bills a metric for each hour with a value."""
    refused = invocation.credentials_refused
    # A forced rotation with valid credentials clears the alarm at once. Otherwise it clears when refusals stop.
    accepted = refused is False and invocation.trigger is Trigger.MANUAL
    coalesced = invocation.trigger is Trigger.REJECTED and result is not None and result.outcome in _COALESCED
    values = {
        "TokenRemainingSeconds": remaining_seconds,
        "RotationFailed": None if result else 1,
        "CredentialsRefused": 1 if refused else 0 if accepted else None,
        "LockUnavailable": 1 if invocation.lock_unavailable else None,
        "RenewalCoalesced": 1 if coalesced else None,
        "VersionBudgetLeft": invocation.version_budget_left,
    }
    written = {name: value for name, value in values.items() if value is not None}
    if not written:
        return
    metrics.add_dimension("stack", stack)
    metrics.add_dimension("account", invocation.account)
    for name, value in written.items():
        unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    metrics.flush_metrics()
