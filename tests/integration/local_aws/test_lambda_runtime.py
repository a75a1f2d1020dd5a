"""Functions of the local AWS run as on Lambda: the runtime's own errors, limits, logs and rights."""

import base64
import os
import signal
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


def busy_worker_of(aws, function):
    """Wait for a worker that is at work, and return its process id."""
    return eventually(lambda: [one["pid"] for one in workers_of(aws, function) if one["busy"] and one["pid"]])[0]


def error_of(answer):
    """Return the type and the message of an error, which names the request."""
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    request_id = answer["ResponseMetadata"]["RequestId"]
    return answer["Payload"]["errorType"], answer["Payload"]["errorMessage"].replace(request_id, "REQUEST")


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
        "TZ": ":UTC",
        "_HANDLER": "index.handler",
    }
    assert variables.items() >= expected.items()
    assert variables.keys() - {"LC_CTYPE"} - expected.keys() == {
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_LOG_FORMAT"),
        *("AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_XRAY_CONTEXT_MISSING", "HOME"),
        *("LAMBDA_TASK_ROOT", "TMPDIR", "_X_AMZN_TRACE_ID"),
    }


def test_a_function_runs_on_its_runtimes_python_in_its_task_root(local_aws):
    """Lambda's task root cannot be written to, so each cold start compiles what is shipped without bytecode."""
    source = """
import importlib.util, os, sys
def handler(event, context):
    is_task_root = os.getcwd() == os.environ["LAMBDA_TASK_ROOT"]
    return [sys.version_info[:2], is_task_root, os.listdir(), importlib.util.find_spec("ministack")]
"""
    name = create_function(local_aws, source)
    assert invoke(local_aws, name)["Payload"] == [[3, 13], True, ["index.py"], None]


def test_an_exception_is_reported_with_its_stack_and_the_worker_stays(local_aws):
    source = """
import os
def handler(event, context):
    if event: raise ValueError("no such thing")
    return os.getpid()
"""
    name = create_function(local_aws, source)
    pid = invoke(local_aws, name)["Payload"]
    answer = invoke(local_aws, name, "fail")
    assert error_of(answer) == ("ValueError", "no such thing")
    assert answer["Payload"]["requestId"] == answer["ResponseMetadata"]["RequestId"]
    (frame,) = answer["Payload"]["stackTrace"]
    assert "index.py" in frame
    assert "raise ValueError" in frame
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
def test_a_module_that_cannot_be_loaded_is_an_error_of_the_invocation(local_aws, source, handler, error_type, message):
    name = create_function(local_aws, source, Handler=handler)
    for _ in range(2):
        answer = invoke(local_aws, name, LogType="Tail")
        found, text = error_of(answer)
        assert found == error_type
        assert message in text
        assert message in base64.b64decode(answer["LogResult"]).decode()


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
    assert error_of(invoke(local_aws, name, "end")) == ("Runtime.ExitError", f"RequestId: REQUEST Error: {message}")
    assert invoke(local_aws, name)["Payload"] == 1


def test_a_killed_worker_fails_its_caller_and_is_replaced(local_aws, tmp_path):
    name = create_function(local_aws, HOLD, Timeout=60)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(invoke, local_aws, name, str(tmp_path / "never"))
        killed = busy_worker_of(local_aws, name)
        os.kill(killed, signal.SIGKILL)
        assert error_of(held.result())[0] == "Runtime.ExitError"
    assert invoke(local_aws, name)["Payload"] != killed


def test_a_function_that_takes_too_long_is_killed_and_says_so(local_aws, tmp_path):
    name = create_function(local_aws, HOLD, Timeout=1)
    pid = invoke(local_aws, name)["Payload"]
    answer = invoke(local_aws, name, str(tmp_path / "never"), LogType="Tail")
    message = "Task timed out after 1.00 seconds"
    assert error_of(answer) == ("Sandbox.Timedout", f"RequestId: REQUEST Error: {message}")
    assert f"{answer['ResponseMetadata']['RequestId']} {message}" in base64.b64decode(answer["LogResult"]).decode()
    eventually(lambda: not is_running(pid))
    assert invoke(local_aws, name)["Payload"] != pid


def test_the_context_agrees_with_what_the_caller_sees(local_aws):
    source = """
def handler(event, context):
    return {
        "request": context.aws_request_id, "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb,
        "left": context.get_remaining_time_in_millis(), "stream": context.log_stream_name,
    }
"""
    name = create_function(local_aws, source, Timeout=7)
    answer = invoke(local_aws, name)
    assert 0 < answer["Payload"].pop("left") <= 7000
    assert answer["Payload"] == {
        "request": answer["ResponseMetadata"]["RequestId"],
        "arn": f"arn:aws:lambda:{local_aws.region}:{local_aws.account_id}:function:{name}",
        "memory": "128",
        "stream": workers_of(local_aws, name)[0]["log_stream"],
    }


def test_hundreds_of_callers_share_a_bounded_number_of_workers(local_aws):
    name = create_function(local_aws, ECHO, Timeout=60)
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda number: invoke(local_aws, name, number)["Payload"], range(300)))
    assert answers == list(range(300))
    assert 1 < len(workers_of(local_aws, name)) <= 16


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
    eventually(lambda: not any(is_running(pid) for *_, pid in answers[:2]))
    client.delete_function(FunctionName=name)
    eventually(lambda: not is_running(answers[-1][-1]))
    assert not workers_of(local_aws, name)


def test_a_busy_worker_answers_before_an_update_ends_it(local_aws, tmp_path):
    name = create_function(local_aws, HOLD, Timeout=60)
    with ThreadPoolExecutor() as pool:
        held = pool.submit(invoke, local_aws, name, str(tmp_path / "go"))
        old = busy_worker_of(local_aws, name)
        local_aws.client("lambda").update_function_configuration(FunctionName=name, MemorySize=512)
        assert invoke(local_aws, name)["Payload"] != old
        (tmp_path / "go").touch()
        assert held.result()["Payload"] == old
    eventually(lambda: not is_running(old))
