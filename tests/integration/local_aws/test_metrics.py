"""CloudWatch metrics of the local AWS: out of log lines and functions, and read by dimensions, statistic and period."""

import datetime
import json
import time
import uuid
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function, invoke
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

HOUR = datetime.timedelta(hours=1)
ACCOUNT = [{"Name": "account", "Value": "one"}]


@pytest.fixture
def namespace() -> str:
    """A namespace that no other test uses."""
    return f"Probe/{uuid.uuid4().hex}"


def emf(namespace: str, members: dict[str, Any], *, dimensions: list[list[str]], **units: str) -> dict[str, Any]:
    """A document in the embedded metric format, of one directive."""
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    directive = {"Namespace": namespace, "Dimensions": dimensions, "Metrics": metrics}
    return {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}, **members}


def log(aws: LocalAWS, *messages: Any) -> None:
    """Put each message as an event of a log stream of its own."""
    logs, group = aws.client("logs"), f"/probe/{uuid.uuid4().hex}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="stream")
    texts = [message if isinstance(message, str) else json.dumps(message) for message in messages]
    events = [{"timestamp": int(time.time() * 1000), "message": text} for text in texts]
    logs.put_log_events(logGroupName=group, logStreamName="stream", logEvents=events)


def listed(aws: LocalAWS, namespace: str) -> list[tuple[str, dict[str, str]]]:
    """The metrics of a namespace: name and dimensions of each."""
    found = aws.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    metrics = [(one["MetricName"], {pair["Name"]: pair["Value"] for pair in one["Dimensions"]}) for one in found]
    return sorted(metrics, key=str)


def statistics(aws: LocalAWS, namespace: str, name: str, dimensions: list[dict[str, str]], *names: str) -> Any:
    """The one data point of the last hours."""
    now = datetime.datetime.now(datetime.UTC)
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=dimensions,
        StartTime=now - HOUR,
        EndTime=now + HOUR,
        # Long enough that everything of a test is in one period, whenever it runs.
        Period=365 * 24 * 3600,
        Statistics=names,
    )["Datapoints"]
    return points[0] if points else None


def test_a_log_line_in_the_embedded_metric_format_becomes_metrics(local_aws: LocalAWS, namespace: str) -> None:
    """Specification, "MetricDirective object": namespace, dimension sets and metrics of the root's members."""
    members = {"account": "one", "Rotated": 1, "Latency": 12.5}
    log(local_aws, emf(namespace, members, dimensions=[["account"]], Rotated="Count", Latency="Milliseconds"))
    assert listed(local_aws, namespace) == [("Latency", {"account": "one"}), ("Rotated", {"account": "one"})]
    point = statistics(local_aws, namespace, "Latency", ACCOUNT, "Average", "SampleCount")
    assert (point["Average"], point["SampleCount"], point["Unit"]) == (12.5, 1, "Milliseconds")


def test_each_set_of_dimensions_is_a_metric_of_its_own(local_aws: LocalAWS, namespace: str) -> None:
    """Specification, "DimensionSet array": a metric for each set, the empty one too."""
    members = {"account": "one", "function": "rotate", "Rotated": 1}
    log(local_aws, emf(namespace, members, dimensions=[[], ["account"], ["account", "function"]], Rotated="Count"))
    assert listed(local_aws, namespace) == [
        ("Rotated", {"account": "one", "function": "rotate"}),
        ("Rotated", {"account": "one"}),
        ("Rotated", {}),
    ]


def test_metrics_have_the_time_of_the_document(local_aws: LocalAWS, namespace: str) -> None:
    """Specification, "Metadata object": Timestamp is "the timestamp used for metrics extracted from the event"."""
    document = emf(namespace, {"Rotated": 1}, dimensions=[[]], Rotated="Count")
    document["_aws"]["Timestamp"] -= 3 * 3600 * 1000
    log(local_aws, document)
    assert listed(local_aws, namespace) == [("Rotated", {})]
    assert statistics(local_aws, namespace, "Rotated", [], "Sum") is None


@pytest.mark.parametrize(
    "message",
    [
        "plain text",
        '{"_aws": ',
        "[1]",
        {"Rotated": 1},
        {"_aws": "text"},
        {"_aws": {"CloudWatchMetrics": []}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": "text"}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": [{}]}]}},
    ],
)
def test_a_line_in_another_format_is_a_log_line_and_no_more(
    local_aws: LocalAWS, namespace: str, message: str | dict[str, Any]
) -> None:
    """Specification, "Root node": the message must be a valid JSON object with the member `_aws`."""
    log(local_aws, message, emf(namespace, {"Rotated": 1}, dimensions=[[]], Rotated="Count"))
    assert listed(local_aws, namespace) == [("Rotated", {})]


@pytest.mark.parametrize(
    "members",
    [{"Rotated": 1}, {"account": 1, "Rotated": 1}, {"account": "one"}, {"account": "one", "Rotated": "1"}],
    ids=["no dimension", "dimension is a number", "no value", "value is text"],
)
def test_a_metric_needs_its_dimensions_and_a_number(
    local_aws: LocalAWS, namespace: str, members: dict[str, Any]
) -> None:
    """Specification, "Target members": dimensions are strings, values are numbers."""
    log(local_aws, emf(namespace, members, dimensions=[["account"]], Rotated="Count"))
    assert listed(local_aws, namespace) == []


def test_what_a_function_prints_becomes_metrics(local_aws: LocalAWS, namespace: str) -> None:
    """Specification: Lambda sends what is printed to CloudWatch Logs."""
    document = emf(namespace, {"account": "one", "Rotated": 1}, dimensions=[["account"]], Rotated="Count")
    name = create_function(local_aws, "def handler(event, context): print(event)")
    invoke(local_aws, name, json.dumps(document))
    assert eventually(lambda: listed(local_aws, namespace)) == [("Rotated", {"account": "one"})]
    assert statistics(local_aws, namespace, "Rotated", ACCOUNT, "Sum")["Sum"] == 1


def test_a_function_has_the_metrics_of_its_invocations(local_aws: LocalAWS) -> None:
    """Lambda developer guide, "Types of metrics for Lambda functions"."""
    name = create_function(local_aws, "def handler(event, context): return 1 / event")
    for event in (1, 0, 0):
        invoke(local_aws, name, event)

    def total(metric: str, statistic: str = "Sum") -> float:
        dimensions = [{"Name": "FunctionName", "Value": name}]
        return float(statistics(local_aws, "AWS/Lambda", metric, dimensions, statistic)[statistic])

    assert [total(metric) for metric in ("Invocations", "Errors", "Throttles")] == [3, 2, 0]
    assert total("Duration", "SampleCount") == 3


def test_messages_that_are_sent_to_a_queue_are_counted(local_aws: LocalAWS) -> None:
    """SQS developer guide, "Available CloudWatch metrics": NumberOfMessagesSent, which a receipt does not lower."""
    queues, name = local_aws.client("sqs"), f"letters-{uuid.uuid4().hex}"
    url = queues.create_queue(QueueName=name)["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody="one")
    entries = [{"Id": body, "MessageBody": body} for body in ("two", "three")]
    queues.send_message_batch(QueueUrl=url, Entries=entries)
    queues.purge_queue(QueueUrl=url)
    dimensions = [{"Name": "QueueName", "Value": name}]
    assert statistics(local_aws, "AWS/SQS", "NumberOfMessagesSent", dimensions, "Sum")["Sum"] == 3


def test_a_metric_without_dimensions_is_a_metric_of_its_own(local_aws: LocalAWS, namespace: str) -> None:
    """API, GetMetricStatistics.Dimensions: "You can't retrieve statistics using combinations ... not published"."""
    data = [{"MetricName": "Rotated", "Value": 1}, {"MetricName": "Rotated", "Value": 10, "Dimensions": ACCOUNT}]
    local_aws.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=data)
    assert statistics(local_aws, namespace, "Rotated", [], "Sum")["Sum"] == 1
    assert statistics(local_aws, namespace, "Rotated", ACCOUNT, "Sum")["Sum"] == 10


@pytest.mark.parametrize(
    ("order", "expected"), [({}, [9, 3]), ({"ScanBy": "TimestampAscending"}, [3, 9])], ids=["default", "ascending"]
)
def test_metric_data_is_by_period_and_newest_first(
    local_aws: LocalAWS, namespace: str, order: dict[str, str], expected: list[float]
) -> None:
    """API, GetMetricData.ScanBy: "The default is TimestampDescending"."""
    hour = datetime.datetime.now(datetime.UTC).replace(minute=0, second=0, microsecond=0)
    times = [hour - HOUR, hour - HOUR + HOUR / 2, hour]
    data = [
        {"MetricName": "Rotated", "Value": value, "Timestamp": at, "Dimensions": ACCOUNT}
        for value, at in zip((1, 2, 9), times, strict=True)
    ]
    client = local_aws.client("cloudwatch")
    client.put_metric_data(Namespace=namespace, MetricData=data)
    metric = {"Namespace": namespace, "MetricName": "Rotated", "Dimensions": ACCOUNT}
    query = {"Id": "sums", "MetricStat": {"Metric": metric, "Period": 3600, "Stat": "Sum"}}
    found = client.get_metric_data(MetricDataQueries=[query], StartTime=hour - HOUR, EndTime=hour + HOUR, **order)[
        "MetricDataResults"
    ]
    assert [result["Values"] for result in found] == [expected]
    assert sorted(found[0]["Timestamps"]) == [hour - HOUR, hour]
