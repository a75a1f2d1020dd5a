"""Functions of the local AWS run as on Lambda: the runtime's own errors, limits, logs and environment."""

import base64
import json
import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import archive, create_function, invoke
from local_aws.waiting import eventually, is_running

pytest_plugins = ["local_aws.fixtures"]

ECHO = "def handler(event, context): return event"
# Holds its worker until the test creates a file.
HOLD = """
import os, time
def handler(event, context):
    if event:
        while not os.path.exists(event): time.sleep(0.01)
    return os.getpid()
"""


def workers_of(aws, function):
    return [worker for worker in aws.workers() if worker["function"] == function]


def error_of(answer):
    """Return the type and the message of an error, without the id of the request."""
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    return answer["Payload"]["errorType"], answer["Payload"]["errorMessage"].partition(" Error: ")[2]


def test_a_function_sees_the_documented_variables_and_no_others(local_aws):
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    name = create_function(local_aws, source, MemorySize=256, Environment={"Variables": {"OWN": "yes", "PATH": "/own"}})
    variables = invoke(local_aws, name)["Payload"]
    expected = {
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_REGION": local_aws.region,
        "AWS_DEFAULT_REGION": local_aws.region,
        "LANG": "en_US.UTF-8",
        "OWN": "yes",
        "PATH": "/own",
        "PYTHONPATH": "",
        "TZ": ":UTC",
        "_HANDLER": "index.handler",
    }
    assert variables.items() >= expected.items()
    assert variables.keys() - {"LC_CTYPE"} - expected.keys() == {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_FORMAT"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "HOME", "LAMBDA_TASK_ROOT", "TMPDIR"),
        "_X_AMZN_TRACE_ID",
    }


def test_a_function_runs_on_its_runtimes_python_in_its_task_root(local_aws):
    """Lambda's task root cannot be written to, so each cold start compiles what is shipped without bytecode."""
    source = """
import importlib.util, os, sys
def handler(event, context):
    is_task_root, left = os.getcwd() == os.environ["LAMBDA_TASK_ROOT"], context.get_remaining_time_in_millis()
    return [sys.version_info[:2], is_task_root, os.listdir(), importlib.util.find_spec("ministack"), 0 < left <= 7000]
"""
    name = create_function(local_aws, source, Timeout=7)
    assert invoke(local_aws, name)["Payload"] == [[3, 13], True, ["index.py"], None, True]


def test_an_exception_is_reported_with_its_stack_and_the_worker_stays(local_aws):
    source = """
import os
def handler(event, context):
    if event: raise ValueError("no such thing")
    return os.getpid()
"""
    name = create_function(local_aws, source)
    pid = invoke(local_aws, name)["Payload"]
    error = invoke(local_aws, name, "fail")["Payload"]
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such thing")
    (frame,) = error["stackTrace"]
    assert "raise ValueError" in frame
    assert invoke(local_aws, name)["Payload"] == pid


def test_a_module_that_cannot_be_loaded_is_an_error_of_each_invocation(local_aws):
    name = create_function(local_aws, "import nowhere")
    for _ in range(2):
        answer = invoke(local_aws, name, LogType="Tail")
        assert answer["Payload"]["errorType"] == "Runtime.ImportModuleError"
        for text in (answer["Payload"]["errorMessage"], base64.b64decode(answer["LogResult"]).decode()):
            assert "No module named 'nowhere'" in text


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_fails_its_caller_only(local_aws, code, message):
    name = create_function(local_aws, f"import os\ndef handler(event, context):\n    if event: {code}\n    return 1")
    assert error_of(invoke(local_aws, name, "end")) == ("Runtime.ExitError", message)
    assert invoke(local_aws, name)["Payload"] == 1


def test_an_idle_worker_that_is_killed_is_replaced(local_aws):
    name = create_function(local_aws, HOLD)
    pid = invoke(local_aws, name)["Payload"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not workers_of(local_aws, name))
    assert invoke(local_aws, name)["Payload"] != pid


def test_a_function_that_takes_too_long_is_killed_and_says_so(local_aws, tmp_path):
    name = create_function(local_aws, HOLD, Timeout=1)
    pid = invoke(local_aws, name)["Payload"]
    answer = invoke(local_aws, name, str(tmp_path / "never"))
    assert error_of(answer) == ("Sandbox.Timedout", "Task timed out after 1.00 seconds")
    assert not is_running(pid)
    assert invoke(local_aws, name)["Payload"] != pid


def test_a_function_may_wait_for_another_one_that_runs_at_its_limit():
    source = """
import boto3, json
def handler(event, context):
    return json.load(boto3.client("lambda").invoke(FunctionName=event, Payload="42")["Payload"])
"""
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    with LocalAWS(concurrency=2) as aws, ThreadPoolExecutor(6) as pool:
        inner = create_function(aws, ECHO)
        outer = create_function(aws, source, statements=[allowed], Timeout=60)
        assert list(pool.map(lambda _: invoke(aws, outer, inner)["Payload"], range(6))) == [42] * 6
        assert len(workers_of(aws, outer)) == 2


def test_new_code_or_configuration_replaces_the_workers(local_aws):
    source = "import os\ndef handler(event, context): return [{}, os.environ.get('SETTING'), os.getpid()]"
    name = create_function(local_aws, source.format(1))
    client = local_aws.client("lambda")
    answers = [invoke(local_aws, name)["Payload"]]
    client.update_function_code(FunctionName=name, ZipFile=archive({"index.py": source.format(2)}))
    answers.append(invoke(local_aws, name)["Payload"])
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"SETTING": "new"}})
    answers.append(invoke(local_aws, name)["Payload"])
    assert [answer[:2] for answer in answers] == [[1, None], [2, None], [2, "new"]]
    assert [is_running(pid) for *_, pid in answers] == [False, False, True]


def test_a_busy_worker_answers_before_an_update_ends_it(local_aws, tmp_path):
    name = create_function(local_aws, HOLD, Timeout=60)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(invoke, local_aws, name, str(tmp_path / "go"))
        old = eventually(lambda: [one["pid"] for one in workers_of(local_aws, name) if one["busy"] and one["pid"]])[0]
        local_aws.client("lambda").update_function_configuration(FunctionName=name, MemorySize=512)
        assert invoke(local_aws, name)["Payload"] != old
        (tmp_path / "go").touch()
        assert held.result()["Payload"] == old
    eventually(lambda: not is_running(old))


def test_json_logs_go_to_the_group_of_the_logging_configuration(local_aws):
    """Telemetry API, event schema reference, "platform.report": status, errorType and duration."""
    group, logs = f"/own/{uuid.uuid4().hex}", local_aws.client("logs")
    logs.create_log_group(logGroupName=group)
    source = """
import logging, os, signal
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("plain", end="")
    if event == "end": os.kill(os.getpid(), signal.SIGKILL)
    print()
    logging.getLogger("own").info("structured %d", 1)
    if event: raise ValueError("failed")
    return context.aws_request_id
"""
    name = create_function(local_aws, source, LoggingConfig={"LogFormat": "JSON", "LogGroup": group})
    request_id = invoke(local_aws, name)["Payload"]
    invoke(local_aws, name, "fail")
    answer = invoke(local_aws, name, "end", LogType="Tail")
    events = logs.filter_log_events(logGroupName=group)["events"]
    start, plain, record, report, *failed = [event["message"] for event in events]
    assert json.loads(start)["type"] == "platform.start"
    assert json.loads(start)["record"] == {"requestId": request_id, "version": "$LATEST"}
    assert plain == "plain"
    logged = {"level": "INFO", "message": "structured 1", "logger": "own", "requestId": request_id}
    assert json.loads(record).items() >= logged.items()
    assert json.loads(report)["type"] == "platform.report"
    reported = json.loads(report)["record"]
    assert reported.pop("metrics")["durationMs"] > 0
    assert reported == {"requestId": request_id, "status": "success"}
    assert json.loads(failed[3])["errorMessage"] == "failed"
    assert json.loads(failed[4])["record"]["status"] == "error"
    killed = failed[5:]
    assert base64.b64decode(answer["LogResult"]).decode() == "\n".join(killed)
    assert killed[1] == "plain"
    ended = json.loads(killed[2])["record"]
    assert (ended["status"], ended["errorType"]) == ("failure", "Runtime.ExitError")
