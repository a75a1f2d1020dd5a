"""The `rotate` function: replaces the published token on schedule, for the watchdog, or by hand."""

from __future__ import annotations

import init_phase

import time
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics

from rotator import bootstrap
from rotator.adapters.telemetry import reported
from rotator.domain.event import parse_rotate_event

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Lambda reads the level and the time of a JSON log line only if the time is in RFC 3339 format.
logger = Logger(service="rotate", use_rfc3339=True)
metrics = Metrics(namespace="TalendToken")
init_phase.end()


@logger.inject_lambda_context(clear_state=True)
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Rotate the token of one account; see `rotator.domain.event` and `rotator.domain.result`.

    Raises:
        RotatorError: the rotation failed. Lambda counts it and sends it to the failure destination.
    """
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000
    with reported(logger, metrics) as report:
        rotator = bootstrap.rotator()
        report.stack = rotator.settings.stack_name
        report.invocation = parse_rotate_event(event, rotator.settings, ends_at)
        report.result = rotator.rotate(report.invocation)
        return report.result.as_rotation()
