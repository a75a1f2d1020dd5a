"""Functions of the local AWS run as on Lambda: the runtime's own errors, limits, logs and rights."""

import base64
import json
import os
import signal
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import archive, create_function, invoke
from local_aws.waiting import eventually, is_running

pytest_plugins = ["local_aws.fixtures"]

ECHO = "def handler(event, context): return event"
PID = "import os\ndef handler(event, context): return os.getpid()"
# Holds its worker until the test creates a file.
HOLD = """
import os, time
def handler(event, context):
    if event:
        while not os.path.exists(event): time.sleep(0.01)
    return os.getpid()
"""


def workers_of(aws: LocalAWS, function: str) -> list[dict[str, Any]]:
    return [worker for worker in aws.workers() if worker["function"] == function]


def is_busy(aws: LocalAWS, function: str) -> bool:
    return any(worker["busy"] for worker in workers_of(aws, function))


def test_a_handler_gets_the_event_and_its_answer_is_returned(local_aws: LocalAWS) -> None:
    event = {"text": "žluťoučký", "number": 1.5, "nothing": None, "list": [True]}
    assert invoke(local_aws, create_function(local_aws, ECHO), event)["Payload"] == event


def test_a_function_sees_the_documented_variables_and_no_others(local_aws: LocalAWS) -> None:
    source = "import os\ndef handler(event, context): return dict(os.environ)"
    name = create_function(local_aws, source, MemorySize=256, Environment={"Variables": {"OWN": "yes", "PATH": "/own"}})
    variables = invoke(local_aws, name)["Payload"]
    assert (
        variables.items()
        >= {
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
            "TZ": ":UTC",
            "_HANDLER": "index.handler",
        }.items()
    )
    assert variables.keys() - {"LC_CTYPE"} == {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"),
        *("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_GROUP_NAME"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_DEFAULT_REGION"),
        *("AWS_XRAY_CONTEXT_MISSING", "HOME", "LANG", "LAMBDA_TASK_ROOT", "OWN", "PATH", "TMPDIR", "TZ", "_HANDLER"),
        "_X_AMZN_TRACE_ID",
    }


def test_a_function_runs_on_its_runtimes_python_in_its_task_root(local_aws: LocalAWS) -> None:
    source = """
import importlib.util, os, sys
def handler(event, context):
    return [sys.version_info[:2], os.getcwd() == os.environ["LAMBDA_TASK_ROOT"], importlib.util.find_spec("ministack")]
"""
    assert invoke(local_aws, create_function(local_aws, source))["Payload"] == [[3, 13], True, None]


def test_no_worker_leaves_bytecode_for_the_next_one(local_aws: LocalAWS) -> None:
    """Lambda's task root cannot be written to: each cold start compiles what is shipped without bytecode."""
    source = "import os\ndef handler(event, context): return os.listdir()"
    assert invoke(local_aws, create_function(local_aws, source))["Payload"] == ["index.py"]


@pytest.mark.parametrize("runtime", ["python3.12", "nodejs22.x", "provided.al2023"])
def test_a_function_of_another_runtime_fails_and_says_why(local_aws: LocalAWS, runtime: str) -> None:
    name = create_function(local_aws, ECHO, Runtime=runtime)
    answer = invoke(local_aws, name)
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorType": "Runtime.Unsupported",
        "errorMessage": f"The local AWS runs python3.13 and nodejs24.x only, and function {name} asks for {runtime}.",
    }
    assert not workers_of(local_aws, name)


def test_an_exception_is_reported_with_its_stack_and_the_worker_stays(local_aws: LocalAWS) -> None:
    source = """
import os
def handler(event, context):
    if event: raise ValueError("no such thing")
    return os.getpid()
"""
    name = create_function(local_aws, source)
    pid = invoke(local_aws, name)["Payload"]
    answer = invoke(local_aws, name, "fail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = answer["Payload"]
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such thing")
    assert "index.py" in error["stackTrace"][0]
    assert "raise ValueError" in error["stackTrace"][0]
    assert error["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert invoke(local_aws, name)["Payload"] == pid


@pytest.mark.parametrize(
    ("source", "handler", "error_type", "message"),
    [
        ("import nowhere", "index.handler", "Runtime.ImportModuleError", "No module named 'nowhere'"),
        ("def handler(:", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        (ECHO, "index.other", "Runtime.HandlerNotFound", "Handler 'other' missing on module 'index'"),
        ("1 / 0", "index.handler", "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_module_that_cannot_be_loaded_is_an_error_of_the_invocation(
    local_aws: LocalAWS, source: str, handler: str, error_type: str, message: str
) -> None:
    name = create_function(local_aws, source, Handler=handler)
    for _ in range(2):
        answer = invoke(local_aws, name, LogType="Tail")
        assert answer["FunctionError"] == "Unhandled"
        assert answer["Payload"]["errorType"] == error_type
        assert message in answer["Payload"]["errorMessage"]
        assert answer["Payload"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
        assert message in base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("os._exit(3)", "Runtime exited with error: exit status 3"),
        ("os._exit(0)", "Runtime exited without providing a reason"),
        ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_fails_its_caller_only(local_aws: LocalAWS, code: str, message: str) -> None:
    name = create_function(local_aws, f"import os\ndef handler(event, context):\n    if event: {code}\n    return 1")
    answer = invoke(local_aws, name, "end")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {request_id} Error: {message}",
    }
    assert invoke(local_aws, name)["Payload"] == 1


def test_a_killed_worker_fails_its_caller_and_is_replaced(local_aws: LocalAWS, tmp_path: Path) -> None:
    name = create_function(local_aws, HOLD, Timeout=60)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(invoke, local_aws, name, str(tmp_path / "never"))
        eventually(lambda: is_busy(local_aws, name))
        (worker,) = eventually(lambda: [w for w in workers_of(local_aws, name) if w["pid"]])
        os.kill(worker["pid"], signal.SIGKILL)
        answer = held.result()
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"]["errorType"] == "Runtime.ExitError"
    assert invoke(local_aws, name)["Payload"] != worker["pid"]


def test_a_function_that_takes_too_long_is_killed_and_says_so(local_aws: LocalAWS, tmp_path: Path) -> None:
    name = create_function(local_aws, HOLD, Timeout=1)
    pid = invoke(local_aws, name)["Payload"]
    answer = invoke(local_aws, name, str(tmp_path / "never"), LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert answer["FunctionError"] == "Unhandled"
    assert answer["Payload"] == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 1.00 seconds",
    }
    assert f"{request_id} Task timed out after 1.00 seconds" in base64.b64decode(answer["LogResult"]).decode()
    eventually(lambda: not is_running(pid))
    assert invoke(local_aws, name)["Payload"] != pid


def test_the_context_tells_what_the_caller_sees(local_aws: LocalAWS) -> None:
    source = """
import os
def handler(event, context):
    return {
        "request": context.aws_request_id, "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(), "trace": os.environ["_X_AMZN_TRACE_ID"],
        "custom": context.client_context.custom, "stream": context.log_stream_name,
    }
"""
    name = create_function(local_aws, source, Timeout=7)
    client_context = base64.b64encode(json.dumps({"custom": {"who": "me"}}).encode()).decode()
    answer = invoke(local_aws, name, ClientContext=client_context)
    seen = answer["Payload"]
    assert seen["request"] == answer["ResponseMetadata"]["RequestId"]
    assert seen["arn"] == f"arn:aws:lambda:{local_aws.region}:{local_aws.account_id}:function:{name}"
    assert seen["memory"] == "128"
    assert 0 < seen["left"] <= 7000
    assert seen["trace"].startswith("Root=1-")
    assert seen["custom"] == {"who": "me"}
    assert seen["stream"] == workers_of(local_aws, name)[0]["log_stream"]


def test_hundreds_of_callers_share_a_bounded_number_of_workers(local_aws: LocalAWS) -> None:
    name = create_function(local_aws, ECHO, Timeout=60)
    client = local_aws.client("lambda")

    def call(number: int) -> Any:
        return json.loads(client.invoke(FunctionName=name, Payload=json.dumps(number))["Payload"].read())

    with ThreadPoolExecutor(64) as pool:
        assert list(pool.map(call, range(300))) == list(range(300))
    assert 1 < len(workers_of(local_aws, name)) <= 16


def test_a_function_may_wait_for_another_one_that_runs_at_its_limit() -> None:
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


def test_new_code_or_configuration_replaces_the_workers(local_aws: LocalAWS) -> None:
    source = "import os\ndef handler(event, context): return [{}, os.environ.get('SETTING'), os.getpid()]"
    name = create_function(local_aws, source.format(1))
    client = local_aws.client("lambda")
    *answer, first = invoke(local_aws, name)["Payload"]
    assert answer == [1, None]
    client.update_function_code(FunctionName=name, ZipFile=archive({"index.py": source.format(2)}))
    *answer, second = invoke(local_aws, name)["Payload"]
    assert answer == [2, None]
    client.update_function_configuration(FunctionName=name, Environment={"Variables": {"SETTING": "new"}})
    *answer, _ = invoke(local_aws, name)["Payload"]
    assert answer == [2, "new"]
    eventually(lambda: not is_running(first) and not is_running(second))


def test_a_busy_worker_answers_before_an_update_ends_it(local_aws: LocalAWS, tmp_path: Path) -> None:
    name = create_function(local_aws, HOLD, Timeout=60)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(invoke, local_aws, name, str(tmp_path / "go"))
        eventually(lambda: is_busy(local_aws, name))
        local_aws.client("lambda").update_function_configuration(FunctionName=name, MemorySize=512)
        other = invoke(local_aws, name)["Payload"]
        (tmp_path / "go").touch()
        old = held.result()["Payload"]
    assert isinstance(old, int)
    assert old != other
    eventually(lambda: not is_running(old))


def test_a_deleted_function_leaves_no_worker(local_aws: LocalAWS) -> None:
    name = create_function(local_aws, PID)
    pid = invoke(local_aws, name)["Payload"]
    local_aws.client("lambda").delete_function(FunctionName=name)
    eventually(lambda: not is_running(pid))
    assert not workers_of(local_aws, name)


def test_a_layer_is_importable_and_the_function_hides_it(local_aws: LocalAWS) -> None:
    def layer(files: dict[str, str]) -> str:
        published = local_aws.client("lambda").publish_layer_version(
            LayerName=f"layer-{uuid.uuid4().hex[:8]}", Content={"ZipFile": archive(files)}
        )
        return str(published["LayerVersionArn"])

    first = layer({"python/one.py": "X = 'first'", "python/two.py": "X = 'first'"})
    second = layer({"python/lib/python3.13/site-packages/two.py": "X = 'second'", "python/index.py": "X = 'second'"})
    name = create_function(
        local_aws,
        "import one, two\ndef handler(event, context): return [one.X, two.X]",
        Layers=[first, second],
    )
    assert invoke(local_aws, name)["Payload"] == ["first", "second"]
