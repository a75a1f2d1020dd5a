"""CloudWatch metrics of the local AWS: of log lines in the embedded metric format, and of functions."""

import datetime
import json
import time
import uuid

from local_aws.inline_function import create_function, invoke
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

NAMES = {"account": "one", "function": "rotate"}


def embedded(namespace, *dimensions, **members):
    """Return a document of one directive with the metric Rotated."""
    metrics = [{"Name": "Rotated", "Unit": "Count"}]
    directive = {"Namespace": namespace, "Dimensions": [list(names) for names in dimensions], "Metrics": metrics}
    return {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}, **members}


def listed(aws, namespace):
    """Return the dimensions of each metric of a namespace."""
    found = aws.client("cloudwatch").list_metrics(Namespace=namespace)["Metrics"]
    dimensions = [{pair["Name"]: pair["Value"] for pair in metric["Dimensions"]} for metric in found]
    return sorted(dimensions, key=len)


def test_log_events_in_the_embedded_metric_format_are_metrics(local_aws):
    """CloudWatch user guide, "Specification: Embedded metric format": a metric for each set of dimensions."""
    namespace, logs = f"Probe/{uuid.uuid4().hex}", local_aws.client("logs")
    stream = {"logGroupName": namespace, "logStreamName": "stream"}
    logs.create_log_group(logGroupName=namespace)
    logs.create_log_stream(**stream)
    good = json.dumps(embedded(namespace, (), ["account"], NAMES, Rotated=1, **NAMES))
    # Other events are just logged.
    messages = ["plain text", '{"_aws": ', '{"Rotated": 1}', json.dumps(embedded(namespace, ["missing"])), good]
    now = int(time.time() * 1000)
    logs.put_log_events(**stream, logEvents=[{"timestamp": now, "message": message} for message in messages])
    assert listed(local_aws, namespace) == [{}, {"account": "one"}, NAMES]


def test_a_function_has_metrics_of_its_output_and_of_its_runs(local_aws):
    """Lambda developer guide, "Types of metrics for Lambda functions": each attempt counts when it happens."""
    namespace, now = f"Probe/{uuid.uuid4().hex}", datetime.datetime.now(datetime.UTC)
    name = create_function(local_aws, "def handler(event, context):\n    print(event)\n    assert event != 'fail'")
    invoke(local_aws, name, json.dumps(embedded(namespace, ["account"], account="one", Rotated=1)))
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
