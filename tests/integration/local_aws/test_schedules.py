"""Schedules fire faster than the clock if asked to, with their role's rights. Rules match events by pattern."""

import datetime
import json
import uuid

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function, create_role
from local_aws.listener import Listener
from local_aws.waiting import eventually

# A minute takes 0.2 seconds, less than the ticker's interval: rate(1 minute) fires at each tick.
SPEED = 300
INPUT = {"trigger": "schedule"}


@pytest.fixture(scope="module")
def aws():
    """A local AWS whose schedules run fast."""
    with LocalAWS(schedule_speed=SPEED) as aws:
        yield aws


def create_schedule(aws, expression, arn, *allowed, **target):
    """Create a schedule whose role has these rights, and return the parameters of UpdateSchedule."""
    statements = [{"Effect": "Allow", "Action": list(allowed), "Resource": "*"}]
    parameters = {
        "Name": f"schedule-{uuid.uuid4().hex[:12]}",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ScheduleExpression": expression,
        "Target": {
            "Arn": arn,
            "RoleArn": create_role(aws, "scheduler.amazonaws.com", statements),
            "Input": json.dumps(INPUT),
            **target,
        },
    }
    aws.client("scheduler").create_schedule(**parameters)
    return parameters


class Schedule:
    """A schedule of a queue."""

    def __init__(self, aws, expression):
        self._aws = aws
        self._listener = Listener(aws)
        self._parameters = create_schedule(aws, expression, self._listener.arn, "sqs:SendMessage")
        self.name = self._parameters["Name"]

    def fired(self, number=1):
        """Wait until it has fired so many times, and return all that it has sent."""
        return self._listener.heard(number)

    def set(self, state):
        self._aws.client("scheduler").update_schedule(**self._parameters, State=state)


def test_a_rate_fires_one_interval_after_its_creation_and_again(aws):
    before = datetime.datetime.now(datetime.UTC)
    schedule = Schedule(aws, "rate(5 minutes)")
    for number in (1, 3):
        events = schedule.fired(number)
        passed = datetime.datetime.now(datetime.UTC) - before
        assert events == [INPUT] * len(events)
        assert passed.total_seconds() >= len(events) * 5 * 60 / SPEED
    # The date of its creation is the wall clock's.
    created = aws.client("scheduler").get_schedule(Name=schedule.name)["CreationDate"]
    assert before - datetime.timedelta(seconds=1) < created < before + passed


def test_a_schedule_is_disabled_and_enabled_by_an_update(aws):
    """API, UpdateSchedule: "Specifies whether the schedule is enabled or disabled"."""
    schedule, clock = Schedule(aws, "rate(1 minute)"), Schedule(aws, "rate(1 minute)")
    schedule.fired(1)
    schedule.set("DISABLED")
    # A tick that had begun may still arrive.
    ticks = len(clock.fired())
    ticks = len(clock.fired(ticks + 2))
    before = len(schedule.fired())
    clock.fired(ticks + 2)
    assert len(schedule.fired()) == before
    schedule.set("ENABLED")
    schedule.fired(before + 1)


@pytest.mark.parametrize(
    ("exists", "allowed", "code"),
    [(True, [], "AccessDeniedException"), (False, ["lambda:InvokeFunction"], "ResourceNotFoundException")],
)
def test_a_function_that_cannot_be_invoked_leaves_a_dead_letter(aws, exists, allowed, code):
    """Scheduler user guide, "Configuring a dead-letter queue": the attributes of the message."""
    function = create_function(aws, "def handler(event, context): pass") if exists else "missing"
    arn = f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:{function}"
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:12]}")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    dead_letters = {"DeadLetterConfig": {"Arn": queue_arn}}
    name = create_schedule(aws, "rate(1 minute)", arn, "sqs:SendMessage", *allowed, **dead_letters)["Name"]
    received = lambda: sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages")  # noqa: E731
    message = eventually(received)[0]
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "ERROR_CODE": code,
        "RETRY_ATTEMPTS": "0",
        "SCHEDULE_ARN": f"arn:aws:scheduler:{aws.region}:{aws.account_id}:schedule/default/{name}",
        "TARGET_ARN": arn,
    }
    assert json.loads(message["Body"]) == INPUT


def put_rule(aws, arn, pattern, name=None):
    """Create a rule with one target, and return its ARN."""
    events, name = aws.client("events"), name or f"rule-{uuid.uuid4().hex[:12]}"
    created = events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    return created["RuleArn"]


def test_an_event_reaches_functions_that_permit_its_rule_at_its_time(aws):
    """Lambda developer guide, "Resource-based policy": SourceArn names the rule. The time is the wall clock's."""
    source, listener = f"own-{uuid.uuid4().hex}", Listener(aws)
    function = (
        "import boto3, json\ndef handler(event, context):\n"
        "    boto3.client('sqs').send_message(QueueUrl=event['detail']['queue'], MessageBody=json.dumps(event))"
    )
    allowed = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    names = [create_function(aws, function, statements=[allowed]) for _ in range(3)]
    arns = [f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:{name}" for name in names]
    rules = [put_rule(aws, arn, {"source": [source], "detail": {"number": [1]}}) for arn in arns]
    # The first function permits nothing, and the second one another rule.
    for name, rule in ((names[1], rules[0]), (names[2], rules[2])):
        aws.client("lambda").add_permission(
            FunctionName=name,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=rule,
        )
    queue = aws.client("sqs").get_queue_url(QueueName=listener.name)["QueueUrl"]
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    for number in (2, 1):
        entry = {"Source": source, "DetailType": "x", "Detail": json.dumps({"number": number, "queue": queue})}
        aws.client("events").put_events(Entries=[entry])
    (event,) = listener.heard(1)
    assert (event["source"], event["detail-type"], event["detail"]["number"]) == (source, "x", 1)
    assert before <= datetime.datetime.fromisoformat(event["time"]) <= datetime.datetime.now(datetime.UTC)
    assert {worker["function"] for worker in aws.workers()} & set(names) == {names[2]}
