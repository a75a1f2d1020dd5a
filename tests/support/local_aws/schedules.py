"""Schedules by a clock that can run faster than the wall's, fired with the rights of the schedule's role.

As it comes, ministack looks for due schedules every 10 seconds, checks no rights when it invokes a target, retries no
asynchronous invocation, and knows no dead-letter queue of a schedule. Replaced are the clock and the interval of
EventBridge Scheduler's ticker and the hand-over to the target. A rule of EventBridge invokes a function only if the
function's resource policy allows it.

What differs from AWS: a schedule's dates and at() are on the faster clock, the flexible window is ignored, and only
functions are invoked with the rights of the schedule's role.
"""

import argparse
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge, lambda_svc, scheduler, sqs

from local_aws.policies import role_allows, rule_may_invoke

Record = dict[str, Any]

TICK_SECONDS = 0.25


class Clock:
    """The time of day as schedules see it: it starts with the wall clock and runs `speed` times as fast."""

    def __init__(self, speed: float) -> None:
        self._started = time.time()
        self._speed = speed
        # ministack's tickers sleep by the module that this stands in for.
        self.sleep = time.sleep

    def time(self) -> float:
        """Return this clock's time, in seconds since the epoch."""
        return self._started + (time.time() - self._started) * self._speed


def patch(options: argparse.Namespace) -> None:
    """Give the ticker the clock and a short tick, and replace the hand-over."""
    scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS
    scheduler.time = Clock(options.schedule_speed)
    eventbridge._invoke_target = _with_rights(eventbridge._invoke_target)
    eventbridge._dispatch_to_lambda = _invoke_function


def _with_rights(invoke_target: Callable[..., None]) -> Callable[..., None]:
    def invoke_with_rights(target: Record, event: Record, owner: Record, view: Any = None) -> None:
        """Invoke a target of a schedule or of a rule."""
        service = target["Arn"].split(":")[2]
        if "FlexibleTimeWindow" in owner and service == "lambda":
            _hand_over(target, owner)
        elif service == "lambda" and not rule_may_invoke(owner["Arn"], target["Arn"]):
            logging.error("Rule %s may not invoke %s: add an AWS::Lambda::Permission", owner["Arn"], target["Arn"])
        else:
            invoke_target(target, event, owner, view)

    return invoke_with_rights


def _hand_over(target: Record, schedule: Record) -> None:
    """Give a schedule's input to a function as the schedule's role, or to the schedule's dead-letter queue.

    No retries: what fails here is a missing target or a missing right, which AWS does not retry either.
    """
    arn, role, text = target["Arn"], target["RoleArn"], target["Input"]
    if role_allows(role, "lambda:InvokeFunction", arn) and _invoke_function(arn, text):
        return
    logging.error("Schedule %s could not hand over to %s", schedule["Arn"], arn)
    if "DeadLetterConfig" in target:
        queue_arn = target["DeadLetterConfig"]["Arn"]
        if role_allows(role, "sqs:SendMessage", queue_arn):
            sqs._act_send_message({"MessageBody": text}, queue_arn.rsplit(":", 1)[1])
        else:
            logging.error("AccessDenied when %s called the SendMessage operation on %s", role, queue_arn)


def _invoke_function(arn: str, text: str) -> bool:
    """Give an event to a function as an asynchronous invocation, and return whether there is such a function."""
    function, config, _ = lambda_svc._get_func_record_for_ref(arn)
    if function is None or config is None:
        return False
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), json.loads(text))
    return True
