"""The `rotate` function: replaces the published token on schedule, for the watchdog, or by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics

from rotator import bootstrap
from rotator.event import parse_rotate_event
from rotator.report import report_failure, report_result

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

logger = Logger(service="rotate")
metrics = Metrics(namespace="TalendToken")

# What publication needs of the function's time after the token endpoint has answered.
PUBLICATION_SECONDS = 10


@logger.inject_lambda_context(clear_state=True)
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Rotate the token of one account; see `rotator.event` for the event and `rotator.rotation` for the outcomes.

    Raises:
        RotatorError: so that Lambda counts the failure, retries it and hands it to the failure destination.
    """
    started = time.time()
    deadline = started + context.get_remaining_time_in_millis() / 1000 - PUBLICATION_SECONDS
    request = parse_rotate_event(event)
    try:
        result = bootstrap.rotation().rotate(request, deadline)
    except Exception as error:
        report_failure(logger, metrics, request, error)
        raise
    report_result(logger, metrics, request, result, started=started, now=time.time())
    return result.as_answer()
