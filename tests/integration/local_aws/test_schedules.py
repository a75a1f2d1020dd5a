"""Schedules fire faster than the clock if asked to."""

import datetime
import json
import uuid

from local_aws import LocalAWS
from local_aws.inline_function import create_role
from local_aws.listener import Listener

SPEED = 300
INPUT = {"trigger": "schedule"}


def test_a_rate_fires_one_interval_after_its_creation_and_again():
    with LocalAWS(schedule_speed=SPEED) as aws:
        scheduler, listener, name = aws.client("scheduler"), Listener(aws), f"schedule-{uuid.uuid4().hex[:12]}"
        role = create_role(aws, "scheduler.amazonaws.com")
        before = datetime.datetime.now(datetime.UTC)
        scheduler.create_schedule(
            Name=name,
            FlexibleTimeWindow={"Mode": "OFF"},
            ScheduleExpression="rate(5 minutes)",
            Target={"Arn": listener.arn, "RoleArn": role, "Input": json.dumps(INPUT)},
        )
        for number in (1, 3):
            events = listener.heard(number)
            passed = datetime.datetime.now(datetime.UTC) - before
            assert events == [INPUT] * len(events)
            assert passed.total_seconds() >= len(events) * 5 * 60 / SPEED
        # The date of its creation is the wall clock's.
        created = scheduler.get_schedule(Name=name)["CreationDate"]
        assert before - datetime.timedelta(seconds=1) < created < before + passed
