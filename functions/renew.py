"""The `renew` function: a consumer's token was rejected, and it gets one that works, or is told when to ask again."""

from __future__ import annotations

import init_phase

import time
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics

from rotator import bootstrap
from rotator.adapters.telemetry import Report
from rotator.domain.event import Trigger, parse_renew_event

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# Lambda reads level and time of a JSON line only if the time is one of RFC 3339.
logger = Logger(service="renew", use_rfc3339=True)
metrics = Metrics(namespace="TalendToken")
init_phase.end()


@logger.inject_lambda_context(clear_state=True)
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Renew the token of one account; see `rotator.domain.event` and `rotator.domain.result`.

    The answer never holds the token: the consumer reads the secret until it sees the answer's version.

    Raises:
        RotatorError: so that the caller sees a function error and Lambda counts it.
    """
    started = time.time()
    request = parse_renew_event(event)
    with Report(logger, metrics, request.account, Trigger.REJECTED) as report:
        result = bootstrap.rotation().renew(request, started + context.get_remaining_time_in_millis() / 1000)
        report.result(result)
    return result.as_renewal()
