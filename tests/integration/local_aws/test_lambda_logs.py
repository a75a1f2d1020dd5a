"""What a function prints is found in CloudWatch Logs, with the platform's lines, as on Lambda."""

import base64
import json
import uuid

from local_aws.inline_function import create_function, invoke

pytest_plugins = ["local_aws.fixtures"]


def log_messages(aws, group):
    return [event["message"] for event in aws.client("logs").filter_log_events(logGroupName=group)["events"]]


def test_the_tail_of_the_log_comes_with_the_answer(local_aws):
    source = "def handler(event, context):\n    print('one\\ntwo', end='')\n    raise ValueError('no such thing')"
    name = create_function(local_aws, source)
    answer = invoke(local_aws, name, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    found = log_messages(local_aws, f"/aws/lambda/{name}")
    assert base64.b64decode(answer["LogResult"]).decode() == "\n".join(found)
    start, one, two, end, report = found
    assert (start, one) == (f"START RequestId: {request_id} Version: $LATEST", "one")
    # An exception is one event of several lines.
    assert two.startswith("two[ERROR] ValueError: no such thing\nTraceback (most recent call last):\n")
    assert "index.py" in two
    assert end == f"END RequestId: {request_id}"
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "\tInit Duration: " in report


def test_json_logs_go_to_the_group_of_the_logging_configuration(local_aws):
    group = f"/own/{uuid.uuid4().hex}"
    local_aws.client("logs").create_log_group(logGroupName=group)
    source = """
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("plain")
    logging.getLogger("own").info("structured %d", 1)
    logging.getLogger("own").debug("too much")
    if event: raise ValueError("failed")
"""
    name = create_function(local_aws, source, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})
    request_id = invoke(local_aws, name)["ResponseMetadata"]["RequestId"]
    invoke(local_aws, name, "fail")
    start, plain, record, report, *failed = log_messages(local_aws, group)
    assert plain == "plain"
    assert json.loads(start)["type"] == "platform.start"
    assert json.loads(start)["record"] == {"requestId": request_id, "version": "$LATEST"}
    logged = {"level": "INFO", "message": "structured 1", "logger": "own", "requestId": request_id}
    assert json.loads(record).items() >= logged.items()
    reported = json.loads(report)["record"]
    assert (reported["requestId"], reported["status"]) == (request_id, "success")
    assert "errorType" not in reported
    metrics = {"durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs"}
    assert reported["metrics"].keys() == metrics
    assert json.loads(failed[3])["errorMessage"] == "failed"
    assert json.loads(failed[4])["record"]["status"] == "error"
    (stream,) = local_aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    (worker,) = [worker for worker in local_aws.workers() if worker["function"] == name]
    assert stream["logStreamName"] == worker["log_stream"]
    assert f"/{name}[$LATEST]" in stream["logStreamName"]


def test_the_report_of_a_run_that_was_killed_says_so(local_aws):
    """Telemetry API, event schema reference, "platform.report": status and errorType. Nothing else of it is logged."""
    source = "import os, signal\ndef handler(event, context): os.kill(os.getpid(), signal.SIGKILL)"
    name = create_function(local_aws, source, LoggingConfig={"LogFormat": "JSON"})
    invoke(local_aws, name)
    start, report = map(json.loads, log_messages(local_aws, f"/aws/lambda/{name}"))
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert (report["record"]["status"], report["record"]["errorType"]) == ("failure", "Runtime.ExitError")
