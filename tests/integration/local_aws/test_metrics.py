"""CloudWatch metrics of the local AWS: of log lines in the embedded metric format, and of functions."""

import datetime
import json
import time
import uuid

import pytest

from local_aws.inline_function import create_function, invoke
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

BOTH = {"account": "one", "function": "rotate"}


def embedded(*dimensions, **members):
    """Return a document of one directive with the metric Rotated. Its namespace comes later."""
    metrics = [{"Name": "Rotated", "Unit": "Count"}]
    directive = {"Namespace": "NAMESPACE", "Dimensions": [list(names) for names in dimensions], "Metrics": metrics}
    return {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}, **members}


def listed(aws, namespace):
    """Return the dimensions of each metric of a namespace."""
    found = aws.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    dimensions = [{pair["Name"]: pair["Value"] for pair in metric["Dimensions"]} for metric in found]
    return sorted(dimensions, key=len)


# A log event, and the dimensions of its metrics. The names are those of the specification's sections.
EVENTS = {
    # A metric for each set, the empty one too.
    "DimensionSet array": (embedded((), ["account"], BOTH, Rotated=1, **BOTH), [{}, {"account": "one"}, BOTH]),
    # Dimensions are strings, and values are numbers.
    "no dimension": (embedded(["account"], Rotated=1), []),
    "dimension that is a number": (embedded(["account"], account=1, Rotated=1), []),
    "no value": (embedded((), account="one"), []),
    "value that is a text": (embedded((), Rotated="1"), []),
    # The message must be a valid JSON object with the member `_aws`.
    "plain text": ("plain text", []),
    "half a document": ('{"_aws": ', []),
    "list": ([1], []),
    "no metadata": ({"Rotated": 1}, []),
    "metadata that are a text": ({"_aws": "text"}, []),
    "no directive": ({"_aws": {"CloudWatchMetrics": []}}, []),
    "directive without a name": ({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Metrics": [{}]}]}}, []),
}


@pytest.mark.parametrize(("event", "expected"), EVENTS.values(), ids=EVENTS)
def test_a_log_event_in_the_embedded_metric_format_is_metrics(local_aws, event, expected):
    """CloudWatch user guide, "Specification: Embedded metric format"."""
    namespace, logs = f"Probe/{uuid.uuid4().hex}", local_aws.client("logs")
    stream = {"logGroupName": namespace, "logStreamName": "stream"}
    logs.create_log_group(logGroupName=namespace)
    logs.create_log_stream(**stream)
    text = event if isinstance(event, str) else json.dumps(event)
    # Whatever the first event is, the second one counts.
    messages = [text, json.dumps(embedded(["last"], last="yes", Rotated=1))]
    events = [
        {"timestamp": int(time.time() * 1000), "message": message.replace("NAMESPACE", namespace)}
        for message in messages
    ]
    logs.put_log_events(**stream, logEvents=events)
    found = listed(local_aws, namespace)
    assert found.pop(found.index({"last": "yes"}))
    assert found == expected


def test_a_function_has_metrics_of_its_output_and_of_its_runs(local_aws):
    """Lambda developer guide, "Types of metrics for Lambda functions": each attempt counts when it happens."""
    namespace, now = f"Probe/{uuid.uuid4().hex}", datetime.datetime.now(datetime.UTC)
    name = create_function(local_aws, "def handler(event, context):\n    print(event)\n    assert event != 'fail'")
    document = embedded(["account"], account="one", Rotated=1)
    invoke(local_aws, name, json.dumps(document).replace("NAMESPACE", namespace))
    local_aws.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload='"fail"')

    def total(metric):
        points = local_aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - datetime.timedelta(hours=1),
            EndTime=now + datetime.timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return sum(point["Sum"] for point in points)

    assert eventually(lambda: listed(local_aws, namespace)) == [{"account": "one"}]
    eventually(lambda: total("Errors") == 3)
    assert total("Invocations") == 4
