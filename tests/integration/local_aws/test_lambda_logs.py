"""What a function prints is found in CloudWatch Logs, with the platform's lines, as on Lambda."""

import base64
import json
import uuid

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function, invoke

pytest_plugins = ["local_aws.fixtures"]


def log_messages(aws: LocalAWS, group: str) -> list[str]:
    events = aws.client("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]


def test_the_tail_of_the_log_comes_with_the_answer(local_aws: LocalAWS) -> None:
    name = create_function(local_aws, "def handler(event, context): print('one\\ntwo', end='')")
    answer = invoke(local_aws, name, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    start, one, two, end, report = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert (start, one, two, end) == (
        f"START RequestId: {request_id} Version: $LATEST",
        "one",
        "two",
        f"END RequestId: {request_id}",
    )
    assert report.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert "\tInit Duration: " in report
    assert log_messages(local_aws, f"/aws/lambda/{name}") == [start, one, two, end, report]


def test_json_logs_go_to_the_group_of_the_logging_configuration(local_aws: LocalAWS) -> None:
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
    assert (
        json.loads(record).items()
        >= {
            "level": "INFO",
            "message": "structured 1",
            "logger": "own",
            "requestId": request_id,
        }.items()
    )
    reported = json.loads(report)["record"]
    assert (reported["requestId"], reported["status"]) == (request_id, "success")
    assert "errorType" not in reported
    assert reported["metrics"].keys() == {
        *("durationMs", "billedDurationMs", "memorySizeMB", "maxMemoryUsedMB", "initDurationMs")
    }
    assert json.loads(failed[3])["errorMessage"] == "failed"
    assert json.loads(failed[4])["record"]["status"] == "error"
    streams = local_aws.client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [
        worker["log_stream"] for worker in local_aws.workers() if worker["function"] == name
    ]
    assert f"/{name}[$LATEST]" in streams[0]["logStreamName"]


def test_the_report_of_a_run_that_was_killed_says_so(local_aws: LocalAWS) -> None:
    """Telemetry API, event schema reference, "platform.report": status and errorType. Nothing else of it is logged."""
    source = "import os, signal\ndef handler(event, context): os.kill(os.getpid(), signal.SIGKILL)"
    name = create_function(local_aws, source, LoggingConfig={"LogFormat": "JSON"})
    invoke(local_aws, name)
    start, report = map(json.loads, log_messages(local_aws, f"/aws/lambda/{name}"))
    assert (start["type"], report["type"]) == ("platform.start", "platform.report")
    assert (report["record"]["status"], report["record"]["errorType"]) == ("failure", "Runtime.ExitError")


def test_the_platforms_lines_can_be_switched_off(local_aws: LocalAWS) -> None:
    name = create_function(
        local_aws,
        "def handler(event, context): print('only this')",
        LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "WARN"},
    )
    invoke(local_aws, name)
    assert log_messages(local_aws, f"/aws/lambda/{name}") == ["only this"]


@pytest.mark.parametrize("group_exists", [True, False])
def test_without_the_right_to_log_there_are_no_logs(local_aws: LocalAWS, group_exists: bool) -> None:
    name = create_function(local_aws, "def handler(event, context): print('lost')", may_log=False)
    logs = local_aws.client("logs")
    if group_exists:
        logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    assert "FunctionError" not in invoke(local_aws, name)
    groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    assert len(groups) == group_exists
    if group_exists:
        assert log_messages(local_aws, f"/aws/lambda/{name}") == []


def test_an_exception_is_one_event_of_several_lines(local_aws: LocalAWS) -> None:
    name = create_function(local_aws, "def handler(event, context): raise ValueError('no such thing')")
    invoke(local_aws, name)
    _, error, *_ = log_messages(local_aws, f"/aws/lambda/{name}")
    first, second, *rest = error.split("\n")
    assert (first, second) == ("[ERROR] ValueError: no such thing", "Traceback (most recent call last):")
    assert "index.py" in rest[0]
