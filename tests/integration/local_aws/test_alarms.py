"""CloudWatch alarms of the local AWS: evaluated by the clock, which a faster schedule speeds up."""

import datetime
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

DAY = datetime.timedelta(days=1)
DAY_SECONDS = 24 * 60 * 60
# A period of a minute is a second.
SPEED = 60
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
OK, ALARM, NO_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

# CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data": the last five data points ("X" is
# breaching, "-" is missing), DatapointsToAlarm of three EvaluationPeriods, and the state for each treatment. A state
# that is retained is that of a new alarm.
EVALUATIONS = [
    ("0-X-X", 3, (OK, OK, OK, OK)),
    ("0----", 3, (OK, OK, OK, OK)),
    ("-----", 3, (NO_DATA, NO_DATA, ALARM, OK)),
    ("0XX-X", 3, (ALARM, ALARM, ALARM, ALARM)),
    ("--X--", 3, (ALARM, NO_DATA, ALARM, OK)),
    ("----X", 3, (NO_DATA, NO_DATA, ALARM, OK)),
    ("0-X-X", 2, (ALARM, ALARM, ALARM, ALARM)),
    ("00X0X", 2, (ALARM, ALARM, ALARM, ALARM)),
    ("0-X--", 2, (OK, OK, ALARM, OK)),
    ("----0", 2, (OK, OK, ALARM, OK)),
    ("---X-", 2, (ALARM, NO_DATA, ALARM, OK)),
]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    """A local AWS whose minutes are seconds."""
    with LocalAWS(schedule_speed=SPEED) as aws:
        yield aws


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"Probe/{uuid.uuid4().hex}"


def put_alarm(aws: LocalAWS, namespace: str, metric: str, **settings: Any) -> str:
    """Create an alarm on a value above zero; the result is its name."""
    name = f"alarm-{uuid.uuid4().hex}"
    defaults = {
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    aws.client("cloudwatch").put_metric_alarm(
        **(defaults | {"AlarmName": name, "Namespace": namespace, "MetricName": metric} | settings)
    )
    return name


def put_value(aws: LocalAWS, namespace: str, metric: str, value: float, **members: Any) -> None:
    data = [{"MetricName": metric, "Value": value, **members}]
    aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)


def half_a_day_ago() -> datetime.datetime:
    """In the middle of the last period of a day."""
    return datetime.datetime.now(datetime.UTC) - DAY / 2


def states(aws: LocalAWS, names: list[str]) -> list[str]:
    found = aws.client("cloudwatch").describe_alarms(AlarmNames=names, MaxRecords=100)["MetricAlarms"]
    by_name = {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
    return [by_name[name] for name in names]


def reaches(aws: LocalAWS, name: str, state: str) -> None:
    eventually(lambda: states(aws, [name]) == [state])


def queue_of_topic(aws: LocalAWS) -> tuple[str, str]:
    """A topic, and the URL of a queue that gets what is published to it."""
    queues, topics, name = aws.client("sqs"), aws.client("sns"), f"notices-{uuid.uuid4().hex}"
    topic, queue = topics.create_topic(Name=name)["TopicArn"], queues.create_queue(QueueName=name)["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    permission = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:*", "Resource": arn}
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [permission]})})
    topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic, queue


def notices(aws: LocalAWS, queue: str, count: int) -> list[tuple[str, str, str]]:
    """The first notices on a queue: alarm, state before and after."""
    found: list[tuple[str, str, str]] = []

    def arrived() -> bool:
        for message in aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            notice = json.loads(message["Body"])
            found.append((notice["AlarmName"], notice["OldStateValue"], notice["NewStateValue"]))
        return len(found) >= count

    eventually(arrived)
    return found


def test_missing_data_is_treated_as_the_alarm_says(local_aws: LocalAWS, namespace: str) -> None:
    """User guide, "Configuring how CloudWatch alarms treat missing data": both tables."""
    names = []
    for row, (points, to_alarm, _) in enumerate(EVALUATIONS):
        for days, point in enumerate(reversed(points)):
            if point != "-":
                put_value(
                    local_aws, namespace, f"row {row}", float(point == "X"), Timestamp=half_a_day_ago() - days * DAY
                )
        for treatment in TREATMENTS:
            settings = {"EvaluationPeriods": 3, "DatapointsToAlarm": to_alarm, "TreatMissingData": treatment}
            names.append(put_alarm(local_aws, namespace, f"row {row}", Period=DAY_SECONDS, **settings))
    # All are evaluated together, so that the last one has its state when the others have theirs.
    reaches(local_aws, put_alarm(local_aws, namespace, "none", TreatMissingData="breaching"), ALARM)
    found = iter(states(local_aws, names))
    assert {(points, to_alarm): tuple(next(found) for _ in TREATMENTS) for points, to_alarm, _ in EVALUATIONS} == {
        (points, to_alarm): expected for points, to_alarm, expected in EVALUATIONS
    }


def test_a_minute_that_is_not_over_does_not_count(local_aws: LocalAWS, namespace: str) -> None:
    """User guide, "Alarm evaluation": data points are those of complete periods; a sum would still grow."""
    in_a_minute = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
    put_value(local_aws, namespace, "Failed", 1, Timestamp=in_a_minute)
    reaches(
        local_aws, put_alarm(local_aws, namespace, "Failed", Period=DAY_SECONDS, TreatMissingData="notBreaching"), OK
    )


def test_a_period_slides_with_each_minute(aws: LocalAWS, namespace: str) -> None:
    """User guide, "Alarm evaluation window": a sliding one "detects breaches as soon as" they are there."""
    name = put_alarm(aws, namespace, "Failed", Period=DAY_SECONDS // 24, TreatMissingData="notBreaching")
    reaches(aws, name, OK)
    put_value(aws, namespace, "Failed", 1)
    # A period is a minute here: waiting for the end of one that is aligned to the clock would take longer than this.
    reaches(aws, name, ALARM)
    # For the length of a period it stays on.
    reaches(aws, put_alarm(aws, namespace, "Failed", TreatMissingData="notBreaching"), OK)
    assert states(aws, [name]) == [ALARM]


def test_the_least_value_of_a_long_period_ends_an_alarm_at_once(aws: LocalAWS, namespace: str) -> None:
    """As for refused credentials: a 1 now and then keeps it on, a 0 outweighs what was before it."""
    settings = {"Statistic": "Minimum", "Period": 1800, "Threshold": 1, "TreatMissingData": "notBreaching"}
    name = put_alarm(aws, namespace, "Refused", **settings, ComparisonOperator="GreaterThanOrEqualToThreshold")
    reaches(aws, name, OK)
    put_value(aws, namespace, "Refused", 1)
    reaches(aws, name, ALARM)
    put_value(aws, namespace, "Refused", 0)
    reaches(aws, name, OK)


def test_a_faster_clock_makes_values_in_seconds_as_much_greater(aws: LocalAWS, namespace: str) -> None:
    """30 seconds at 60 times the speed are 30 minutes: not less than a threshold of three minutes."""
    low = {"Threshold": 180, "ComparisonOperator": "LessThanThreshold", "Statistic": "Minimum", "Period": DAY_SECONDS}
    names = [put_alarm(aws, namespace, metric, **low) for metric in ("Remaining", "Number", "Expiring")]
    put_value(aws, namespace, "Remaining", 30, Unit="Seconds")
    put_value(aws, namespace, "Number", 30, Unit="Count")
    put_value(aws, namespace, "Expiring", 2, Unit="Seconds")
    eventually(lambda: states(aws, names) == [OK, ALARM, ALARM])


def test_an_alarm_tells_its_topic_when_its_state_changes(aws: LocalAWS, namespace: str) -> None:
    """User guide, "Alarm actions": actions happen "when the alarm changes state"."""
    topic, queue = queue_of_topic(aws)
    settings = {"TreatMissingData": "notBreaching", "AlarmActions": [topic], "OKActions": [topic]}
    name = put_alarm(aws, namespace, "Failed", **settings)
    reaches(aws, name, OK)
    put_value(aws, namespace, "Failed", 1)
    # It is OK again when the data point leaves the evaluation range, which is time passing and nothing else.
    assert notices(aws, queue, 3) == [(name, NO_DATA, OK), (name, OK, ALARM), (name, ALARM, OK)]


def test_an_alarm_watches_its_own_dimensions_only(aws: LocalAWS, namespace: str) -> None:
    """API, PutMetricAlarm.Dimensions: "The dimensions for the metric specified in MetricName"."""
    one, two = ([{"Name": "account", "Value": value}] for value in ("one", "two"))
    names = [
        put_alarm(aws, namespace, "Failed", Dimensions=dimensions, TreatMissingData="notBreaching")
        for dimensions in (one, two, [])
    ]
    eventually(lambda: states(aws, names) == [OK, OK, OK])
    put_value(aws, namespace, "Failed", 1, Dimensions=one)
    assert eventually(lambda: [found for found in [states(aws, names)] if ALARM in found]) == [[ALARM, OK, OK]]


@pytest.mark.parametrize(
    ("statistic", "comparison", "threshold", "state"),
    [
        ("Sum", "GreaterThanOrEqualToThreshold", 6, ALARM),
        ("Sum", "GreaterThanThreshold", 6, OK),
        ("Minimum", "LessThanThreshold", 2, ALARM),
        ("Maximum", "LessThanOrEqualToThreshold", 3, OK),
        ("Average", "LessThanOrEqualToThreshold", 3, ALARM),
        ("SampleCount", "LessThanThreshold", 2, OK),
    ],
)
def test_an_alarm_compares_its_statistic(
    local_aws: LocalAWS, namespace: str, statistic: str, comparison: str, threshold: float, state: str
) -> None:
    """API, PutMetricAlarm: Statistic, ComparisonOperator and Threshold."""
    for value in (1, 5):
        put_value(local_aws, namespace, "Value", value, Timestamp=half_a_day_ago())
    settings = {"Statistic": statistic, "ComparisonOperator": comparison, "Threshold": threshold}
    reaches(local_aws, put_alarm(local_aws, namespace, "Value", Period=DAY_SECONDS, **settings), state)


def test_an_alarm_of_what_is_missing_fires_and_ends_as_time_passes(aws: LocalAWS, namespace: str) -> None:
    """TreatMissingData: "breaching - Missing data points are treated as being bad"."""
    account = [{"Name": "account", "Value": "one"}]
    low = {"Threshold": 180, "ComparisonOperator": "LessThanThreshold", "Statistic": "Minimum"}
    settings = {"EvaluationPeriods": 2, "TreatMissingData": "breaching", "Dimensions": account}
    name = put_alarm(aws, namespace, "Remaining", **low, **settings)
    reaches(aws, name, ALARM)

    def reported(state: str) -> bool:
        # A run reports each minute, which is a second here; without dimensions it would be another metric.
        put_value(aws, namespace, "Remaining", 1500, Dimensions=account)
        return states(aws, [name]) == [state]

    eventually(lambda: reported(OK))
    reaches(aws, name, ALARM)


def test_what_an_alarm_saw_last_holds_while_nothing_is_written(aws: LocalAWS, namespace: str) -> None:
    """TreatMissingData: "ignore - The current alarm state is maintained"."""
    name = put_alarm(aws, namespace, "Refused", TreatMissingData="ignore")
    put_value(aws, namespace, "Refused", 1)
    reaches(aws, name, ALARM)
    # Another alarm, on the same value, that forgets shows that time has passed.
    reaches(aws, put_alarm(aws, namespace, "Refused", TreatMissingData="notBreaching"), OK)
    assert states(aws, [name]) == [ALARM]
    put_value(aws, namespace, "Refused", 0)
    reaches(aws, name, OK)


def test_an_alarm_on_messages_sent_ends_while_they_stay_in_the_queue(aws: LocalAWS) -> None:
    """SQS developer guide: NumberOfMessagesSent by QueueName; a queue in use to which none are sent has zeros."""
    queues, name = aws.client("sqs"), f"letters-{uuid.uuid4().hex}"
    queue = queues.create_queue(QueueName=name)["QueueUrl"]
    dimensions = [{"Name": "QueueName", "Value": name}]
    alarm = put_alarm(aws, "AWS/SQS", "NumberOfMessagesSent", Statistic="Sum", Dimensions=dimensions)
    reaches(aws, alarm, OK)
    queues.send_message(QueueUrl=queue, MessageBody="dead letter")
    reaches(aws, alarm, ALARM)
    reaches(aws, alarm, OK)
    assert queues.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "dead letter"


def test_an_alarm_sees_the_messages_of_a_queue(aws: LocalAWS) -> None:
    """SQS developer guide, "Available CloudWatch metrics": ApproximateNumberOfMessagesVisible by QueueName."""
    queues, name = aws.client("sqs"), f"letters-{uuid.uuid4().hex}"
    queue = queues.create_queue(QueueName=name)["QueueUrl"]
    dimensions = [{"Name": "QueueName", "Value": name}]
    alarm = put_alarm(aws, "AWS/SQS", "ApproximateNumberOfMessagesVisible", Dimensions=dimensions)
    reaches(aws, alarm, OK)
    queues.send_message(QueueUrl=queue, MessageBody="dead letter")
    reaches(aws, alarm, ALARM)
    queues.purge_queue(QueueUrl=queue)
    reaches(aws, alarm, OK)
