"""Schedules by a clock that can run faster than the wall's, fired with the rights of the schedule's role.

As it comes, ministack looks for due schedules every 10 seconds, invokes a target with nobody's rights and without the
retries of an asynchronous invocation, knows no dead-letter queue of a schedule, and remembers when a deleted schedule
has last fired, so that the next one of that name fires too early. Replaced are the clock and the interval of its two
tickers (EventBridge Scheduler, and EventBridge rules with a schedule) and the hand-over to the target. A rule invokes a
function only if the function's resource policy allows it.

What differs from AWS: cron() and at() are read on the faster clock and in UTC whatever the schedule's time zone is, the
flexible window is ignored, and only functions and queues are invoked with the rights of the schedule's role.
"""

import argparse
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import botocore.exceptions
from ministack.services import eventbridge, lambda_svc, scheduler

from local_aws.permissions import service_may_invoke
from local_aws.role_client import queue_url, role_client

Record = dict[str, Any]

TICK_SECONDS = 0.25


class Clock:
    """The time of day as schedules see it: it starts with the wall clock and runs `speed` times as fast."""

    def __init__(self, speed: float) -> None:
        self._started = time.time()
        self._speed = speed
        # ministack's tickers sleep by the module that this stands in for.
        self.sleep = time.sleep

    def at(self, wall_time: float) -> float:
        """What this clock shows when the wall clock shows `wall_time`, in seconds since the epoch."""
        return self._started + (wall_time - self._started) * self._speed

    def time(self) -> float:
        """Now."""
        return self.at(time.time())


def mend(options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Give both tickers the clock, a short tick, and the hand-over."""
    if options.schedule_speed <= 0:
        raise SystemExit(f"--schedule-speed is {options.schedule_speed:g}: it must be more than 0.")
    clock = Clock(options.schedule_speed)
    _mend_scheduler(clock)
    _mend_rules(clock)
    _mend_targets()


def _mend_scheduler(clock: Clock) -> None:
    tick = scheduler._tick_schedules

    def tick_after_anchoring() -> None:
        _anchor(scheduler._schedules._data, scheduler._schedule_last_fired, "CreationDate", clock)
        tick()

    scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS
    # What a schedule says of its creation stays true; only the ticker lives in the other time.
    scheduler._now = time.time
    scheduler.time = clock
    scheduler._tick_schedules = tick_after_anchoring


def _mend_rules(clock: Clock) -> None:
    tick = eventbridge._tick_scheduled_rules
    ticking = threading.local()

    def tick_after_anchoring() -> None:
        _anchor(eventbridge._rules._data, eventbridge._rule_last_fired, "CreationTime", clock)
        ticking.now = True
        tick()

    eventbridge._SCHEDULER_TICK_INTERVAL = TICK_SECONDS
    # The same function dates rules and events, which stay in the wall clock's time: only the ticker's thread leaves it.
    eventbridge._now_ts = lambda: clock.time() if getattr(ticking, "now", False) else time.time()
    eventbridge._tick_scheduled_rules = tick_after_anchoring


def _anchor(records: dict[Any, Record], last_fired: dict[Any, float], created: str, clock: Clock) -> None:
    """Count from a schedule's creation, also when one of the same name existed before."""
    for key in [key for key in last_fired if key not in records]:
        del last_fired[key]
    for key, record in list(records.items()):
        # A rule of a template has no date of its own: it counts from here.
        created_at = clock.at(record.setdefault(created, time.time()))
        if last_fired.get(key, 0.0) >= created_at:
            continue
        if record.get("ScheduleExpression", "").startswith("at("):
            # One-time schedules that have ever fired are not looked at again.
            last_fired.pop(key, None)
        else:
            last_fired[key] = created_at


def _mend_targets() -> None:
    invoke_target = eventbridge._invoke_target

    def invoke_with_rights(target: Record, event: Record, owner: Record, view: Any = None) -> None:
        """Replaces `eventbridge._invoke_target`, which serves schedules and rules."""
        service = target["Arn"].split(":")[2]
        if "FlexibleTimeWindow" in owner and service in ("lambda", "sqs"):
            threading.Thread(target=_hand_over, args=(target, event, owner), daemon=True, name="schedule").start()
        elif service == "lambda" and not service_may_invoke("events.amazonaws.com", target["Arn"], owner["Arn"]):
            logging.error("Rule %s may not invoke %s: add an AWS::Lambda::Permission", owner["Arn"], target["Arn"])
        else:
            invoke_target(target, event, owner, view)

    eventbridge._invoke_target = invoke_with_rights
    eventbridge._dispatch_to_lambda = _invoke_function


def _invoke_function(arn: str, payload: str) -> None:
    """Give an event to a function as an asynchronous invocation; replaces `eventbridge._dispatch_to_lambda`."""
    function, config, name = lambda_svc._get_func_record_for_ref(arn)
    if function is None or config is None:
        logging.error("A rule's target is missing: there is no function %s", name)
        return
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), json.loads(payload))


def _hand_over(target: Record, event: Record, schedule: Record) -> None:
    """Give a schedule's input to its target as the schedule's role, or to the schedule's dead-letter queue.

    No retries: what fails here is a missing target or a missing right, which AWS does not retry either.
    """
    payload = target.get("Input") or json.dumps(eventbridge._pattern_event_view(event).event_with_detail())
    try:
        if target["Arn"].split(":")[2] == "lambda":
            client = role_client("lambda", target["RoleArn"], schedule["Name"])
            client.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=payload)
        else:
            _send(target["Arn"], target["RoleArn"], schedule, payload, {})
    except botocore.exceptions.ClientError as error:
        logging.error("Schedule %s could not hand over to %s: %s", schedule["Arn"], target["Arn"], error)
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if queue:
            _send(queue, target["RoleArn"], schedule, payload, _dead_letter_attributes(target, schedule, error))


def _dead_letter_attributes(target: Record, schedule: Record, error: botocore.exceptions.ClientError) -> dict[str, str]:
    """The attributes by the Scheduler user guide, "Configuring a dead-letter queue"."""
    return {
        "ERROR_CODE": error.response["Error"]["Code"],
        "ERROR_MESSAGE": error.response["Error"]["Message"],
        "SCHEDULE_ARN": schedule["Arn"],
        "TARGET_ARN": target["Arn"],
        "RETRY_ATTEMPTS": "0",
    }


def _send(queue_arn: str, role_arn: str, schedule: Record, body: str, attributes: dict[str, str]) -> None:
    client = role_client("sqs", role_arn, schedule["Name"])
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    client.send_message(QueueUrl=queue_url(queue_arn), MessageBody=body, MessageAttributes=values)
