"""Schedules fire by themselves, faster than the clock if asked to, with the rights of their role."""

import datetime
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function, create_role
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

# A minute takes 0.2 seconds, less than the ticker's interval: rate(1 minute) fires at each tick.
SPEED = 300
INPUT = '{"trigger": "schedule"}'
PRINT = "import json\ndef handler(event, context): print('got ' + json.dumps(event))"


@pytest.fixture(scope="module")
def fast() -> Iterator[LocalAWS]:
    """A local AWS whose schedules run fast."""
    with LocalAWS(schedule_speed=SPEED) as aws:
        yield aws


class Queue:
    """A queue, and what has arrived in it."""

    def __init__(self, aws: LocalAWS) -> None:
        self._sqs = aws.client("sqs")
        self.name = f"queue-{uuid.uuid4().hex[:12]}"
        self.arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{self.name}"
        self._url = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.messages: list[dict[str, Any]] = []

    def arrived(self, number: int) -> list[dict[str, Any]]:
        """Wait until so many messages have arrived, in order of their sending."""
        return eventually(lambda: self.receive() if len(self.receive()) >= number else [])

    def receive(self) -> list[dict[str, Any]]:
        """Take what is there now: all messages so far."""
        answer = self._sqs.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        self.messages += answer.get("Messages", [])
        return self.messages


def sent_at(message: dict[str, Any]) -> float:
    return int(message["Attributes"]["SentTimestamp"]) / 1000


def may(action: str, arn: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": arn}


def create_schedule(aws: LocalAWS, expression: str, arn: str, role: str, **parameters: Any) -> str:
    """Create a schedule: its name."""
    target = {"Arn": arn, "RoleArn": role, **parameters.pop("Target", {"Input": INPUT})}
    defaults = {"Name": f"schedule-{uuid.uuid4().hex[:12]}", "FlexibleTimeWindow": {"Mode": "OFF"}}
    settings = {**defaults, "ScheduleExpression": expression, "Target": target, **parameters}
    aws.client("scheduler").create_schedule(**settings)
    return str(settings["Name"])


def schedule_to_queue(aws: LocalAWS, expression: str, **parameters: Any) -> tuple[str, Queue]:
    queue = Queue(aws)
    role = create_role(aws, "scheduler.amazonaws.com", [may("sqs:SendMessage", queue.arn)])
    return create_schedule(aws, expression, queue.arn, role, **parameters), queue


def printed(aws: LocalAWS, function: str) -> list[Any]:
    """The events that a function has printed."""
    events = aws.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
    lines = [event["message"] for event in events]
    return [json.loads(line.removeprefix("got ")) for line in lines if line.startswith("got ")]


def function_of_targets(aws: LocalAWS) -> tuple[str, str]:
    """Create a function that prints its event: its name and its ARN."""
    name = create_function(aws, PRINT)
    aws.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    return name, aws.client("lambda").get_function_configuration(FunctionName=name)["FunctionArn"]


def test_a_rate_fires_one_interval_after_its_creation_and_again(fast: LocalAWS) -> None:
    name, queue = schedule_to_queue(fast, "rate(5 minutes)")
    messages = queue.arrived(3)
    created = fast.client("scheduler").get_schedule(Name=name)["CreationDate"].timestamp()
    # Queues count milliseconds.
    for number, message in enumerate(messages, start=1):
        assert sent_at(message) + 0.001 >= created + number * 5 * 60 / SPEED
    assert [json.loads(message["Body"]) for message in messages] == [{"trigger": "schedule"}] * len(messages)


def test_the_date_of_creation_is_that_of_the_wall_clock(fast: LocalAWS) -> None:
    before = datetime.datetime.now(datetime.UTC)
    name, _ = schedule_to_queue(fast, "rate(1 day)")
    created = fast.client("scheduler").get_schedule(Name=name)["CreationDate"]
    assert before - datetime.timedelta(seconds=1) < created <= datetime.datetime.now(datetime.UTC)


def test_a_disabled_schedule_does_not_fire(fast: LocalAWS) -> None:
    _, disabled = schedule_to_queue(fast, "rate(1 minute)", State="DISABLED")
    _, enabled = schedule_to_queue(fast, "rate(1 minute)")
    enabled.arrived(2)
    assert disabled.receive() == []


def test_a_schedule_is_disabled_and_enabled_by_an_update(fast: LocalAWS) -> None:
    """API, UpdateSchedule: "Specifies whether the schedule is enabled or disabled"."""
    scheduler = fast.client("scheduler")
    name, queue = schedule_to_queue(fast, "rate(1 minute)")
    _, clock = schedule_to_queue(fast, "rate(1 minute)")
    queue.arrived(1)
    found = scheduler.get_schedule(Name=name)
    settings = {key: found[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**settings, State="DISABLED")
    # A tick that had begun may still arrive.
    clock.arrived(len(clock.receive()) + 2)
    before = len(queue.receive())
    clock.arrived(len(clock.receive()) + 2)
    assert len(queue.receive()) == before
    scheduler.update_schedule(**settings, State="ENABLED")
    queue.arrived(before + 1)


def test_a_function_gets_the_input_as_an_asynchronous_invocation(fast: LocalAWS) -> None:
    name, arn = function_of_targets(fast)
    role = create_role(fast, "scheduler.amazonaws.com", [may("lambda:InvokeFunction", arn)])
    create_schedule(fast, "rate(1 minute)", arn, role)
    assert eventually(lambda: printed(fast, name))[0] == {"trigger": "schedule"}


def test_a_role_that_may_not_invoke_leaves_a_dead_letter(fast: LocalAWS) -> None:
    _, arn = function_of_targets(fast)
    queue = Queue(fast)
    role = create_role(fast, "scheduler.amazonaws.com", [may("sqs:SendMessage", queue.arn)])
    name = create_schedule(
        fast, "rate(1 minute)", arn, role, Target={"Input": INPUT, "DeadLetterConfig": {"Arn": queue.arn}}
    )
    message = queue.arrived(1)[0]
    attributes = {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}
    assert "lambda:InvokeFunction" in attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "ERROR_CODE": "AccessDeniedException",
        "RETRY_ATTEMPTS": "0",
        "SCHEDULE_ARN": f"arn:aws:scheduler:{fast.region}:{fast.account_id}:schedule/default/{name}",
        "TARGET_ARN": arn,
    }
    assert json.loads(message["Body"]) == {"trigger": "schedule"}


def test_a_missing_function_sends_the_input_to_the_dead_letter_queue(fast: LocalAWS) -> None:
    queue = Queue(fast)
    allowed = [may("sqs:SendMessage", queue.arn), may("lambda:InvokeFunction", "*")]
    role = create_role(fast, "scheduler.amazonaws.com", allowed)
    arn = f"arn:aws:lambda:{fast.region}:{fast.account_id}:function:missing"
    create_schedule(fast, "rate(1 minute)", arn, role, Target={"Input": INPUT, "DeadLetterConfig": {"Arn": queue.arn}})
    message = queue.arrived(1)[0]
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ResourceNotFoundException"


def put_rule(aws: LocalAWS, arn: str, **rule: Any) -> str:
    """Create a rule with one target: the ARN of the rule."""
    name = f"rule-{uuid.uuid4().hex[:12]}"
    created = aws.client("events").put_rule(Name=name, **rule)
    aws.client("events").put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    return str(created["RuleArn"])


def permit(aws: LocalAWS, function: str, rule: str) -> None:
    aws.client("lambda").add_permission(
        FunctionName=function,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )


def test_an_event_reaches_its_function_at_the_wall_clocks_time(fast: LocalAWS) -> None:
    name, arn = function_of_targets(fast)
    source = f"own-{uuid.uuid4().hex}"
    permit(fast, name, put_rule(fast, arn, EventPattern=json.dumps({"source": [source], "detail": {"n": [1]}})))
    entry = {"Source": source, "DetailType": "Something Happened"}
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    fast.client("events").put_events(Entries=[entry | {"Detail": '{"n": 2}'}, entry | {"Detail": '{"n": 1}'}])
    (event,) = eventually(lambda: printed(fast, name))
    assert (event["detail-type"], event["detail"]) == ("Something Happened", {"n": 1})
    assert before <= datetime.datetime.fromisoformat(event["time"]) <= datetime.datetime.now(datetime.UTC)


def test_a_rule_without_a_permission_does_not_reach_its_function(fast: LocalAWS) -> None:
    source = f"own-{uuid.uuid4().hex}"
    functions = [function_of_targets(fast) for _ in range(3)]
    rules = [put_rule(fast, arn, EventPattern=json.dumps({"source": [source]})) for _, arn in functions]
    permit(fast, functions[1][0], rules[0])
    permit(fast, functions[2][0], rules[2])
    fast.client("events").put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])
    eventually(lambda: printed(fast, functions[2][0]))
    assert [printed(fast, name) for name, _ in functions[:2]] == [[], []]


def test_at_ordinary_speed_an_hour_is_an_hour(local_aws: LocalAWS) -> None:
    """The other schedule, which is due at once, shows that the ticker has looked."""
    _, hourly = schedule_to_queue(local_aws, "rate(1 hour)")
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    _, due = schedule_to_queue(local_aws, f"at({past:%Y-%m-%dT%H:%M:%S})")
    due.arrived(1)
    assert hourly.receive() == []
