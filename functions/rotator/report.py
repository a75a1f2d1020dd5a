"""One log line and a few metrics for each rotation."""

from __future__ import annotations

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from rotator.event import RotateRequest
from rotator.rotation import Outcome, RotationResult


def report_result(
    logger: Logger, metrics: Metrics, request: RotateRequest, result: RotationResult, *, started: float, now: float
) -> None:
    """Log how a rotation ended and write its metrics; a warning makes the line one of level WARNING.

    `started` and `now` are seconds since the epoch.
    """
    remaining = None if result.expires_at is None else round(result.expires_at - now)
    log = logger.warning if result.warnings else logger.info
    log(
        str(result.outcome),
        account=result.account,
        trigger=str(result.trigger),
        version_id=result.version_id,
        remaining_seconds=remaining,
        duration_seconds=round(now - started, 3),
        reason=request.reason,
        warnings=list(result.warnings),
    )
    metrics.add_dimension("account", result.account)
    metrics.add_metric("Rotated", MetricUnit.Count, int(result.outcome is Outcome.ROTATED))
    metrics.add_metric("RotationFailed", MetricUnit.Count, 0)
    if remaining is not None:
        metrics.add_metric("TokenRemainingSeconds", MetricUnit.Seconds, max(remaining, 0))
    if result.token_endpoint_seconds is not None:
        metrics.add_metric("TokenEndpointLatency", MetricUnit.Seconds, result.token_endpoint_seconds)
    metrics.flush_metrics()


def report_failure(logger: Logger, metrics: Metrics, request: RotateRequest, error: Exception) -> None:
    """Log why a rotation failed and count it. The caller raises `error`, and Lambda logs its stack."""
    logger.error(
        "failed",
        account=request.account,
        trigger=str(request.trigger),
        error=type(error).__name__,
        problem=str(error),
    )
    metrics.add_dimension("account", request.account)
    metrics.add_metric("RotationFailed", MetricUnit.Count, 1)
    metrics.flush_metrics()
