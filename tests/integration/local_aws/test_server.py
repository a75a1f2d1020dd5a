"""The local AWS starts when asked, keeps to itself, and leaves nothing behind however it ends."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import HTTPClientError

from local_aws import ENVIRONMENTS, IMPORT_ROOT, LocalAWS, LocalAWSError
from local_aws.inline_function import create_function, invoke
from local_aws.waiting import eventually, is_running

pytest_plugins = ["local_aws.fixtures"]

SERVER_PYTHON = ENVIRONMENTS / "local-aws" / "bin" / "python"
# Starts a local AWS with a function that holds its worker, says what exists, and waits to be killed.
PARENT = """
import json, sys, threading, time
from local_aws import LocalAWS
from local_aws.inline_function import create_function, invoke
from local_aws.waiting import eventually
aws = LocalAWS().start()
name = create_function(aws, "import time\\ndef handler(event, context): time.sleep(50)", Timeout=60)
threading.Thread(target=invoke, args=(aws, name), daemon=True).start()
eventually(lambda: [worker for worker in aws.workers() if worker["busy"] and worker["pid"]])
print(json.dumps([aws.server_pid, aws.workers()[0]["pid"], str(aws.directory)]), flush=True)
time.sleep(60)
"""


def listening(pid: int) -> set[str]:
    """The local addresses, in the kernel's hexadecimal, of a process's listening sockets."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    addresses = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            # State 0A of TCP is LISTEN; an unconnected socket of UDP is in 07.
            if fields[9] in inodes and fields[3] in ("0A", "07"):
                addresses.add(fields[1].split(":")[0])
    return addresses


def holding_worker(aws: LocalAWS) -> int:
    """Have a worker; the result is its process id."""
    return int(
        invoke(aws, create_function(aws, "import os\ndef handler(event, context): return os.getpid()"))["Payload"]
    )


def test_it_answers_as_the_account_and_region_that_were_asked_for() -> None:
    with LocalAWS(region="eu-west-1", account_id="210987654321") as aws:
        assert aws.endpoint_url.startswith("http://127.0.0.1:")
        assert aws.client("sts").get_caller_identity()["Account"] == "210987654321"
        arn = aws.client("secretsmanager").create_secret(Name="some", SecretString="value")["ARN"]
    assert arn.startswith("arn:aws:secretsmanager:eu-west-1:210987654321:secret:some-")


def test_it_listens_on_the_loopback_interface_only(local_aws: LocalAWS) -> None:
    holding_worker(local_aws)
    assert local_aws.server_pid is not None
    assert listening(local_aws.server_pid) == {"0100007F"}


def test_stopping_leaves_no_process_and_no_file() -> None:
    aws = LocalAWS().start()
    directory, server, worker = aws.directory, aws.server_pid, holding_worker(aws)
    assert directory is not None
    assert server is not None
    assert directory.exists()
    aws.stop()
    assert not is_running(server)
    assert not is_running(worker)
    assert not directory.exists()
    aws.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_with_its_functions(number: signal.Signals) -> None:
    with LocalAWS() as aws:
        worker, server, directory = holding_worker(aws), aws.server_pid, aws.directory
        assert server is not None
        assert directory is not None
        os.kill(server, number)
        eventually(lambda: not is_running(server) and not is_running(worker) and not directory.exists())


def test_a_killed_server_takes_its_functions_along() -> None:
    """Also one that is at work and does not ask the server for more."""
    with LocalAWS() as aws, ThreadPoolExecutor() as pool:
        name = create_function(aws, "import time\ndef handler(event, context): time.sleep(50)", Timeout=60)
        lost = pool.submit(invoke, aws, name)
        worker = eventually(lambda: [worker["pid"] for worker in aws.workers() if worker["busy"] and worker["pid"]])[0]
        assert aws.server_pid is not None
        os.kill(aws.server_pid, signal.SIGKILL)
        eventually(lambda: not is_running(worker))
        assert isinstance(lost.exception(), HTTPClientError)


def test_a_killed_parent_takes_everything_along() -> None:
    environment = os.environ | {"PYTHONPATH": str(IMPORT_ROOT)}
    with subprocess.Popen([sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server, worker, directory = json.loads(parent.stdout.readline())
        assert is_running(server)
        assert is_running(worker)
        parent.kill()
        eventually(lambda: not is_running(server) and not is_running(worker) and not Path(directory).exists())


def test_nothing_of_the_hosts_environment_reaches_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST_ONLY", "AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://of-the-host.invalid")
    source = "import os\ndef handler(event, context): return [v for v in os.environ.values() if 'of-the-host' in v]"
    with LocalAWS() as aws:
        assert invoke(aws, create_function(aws, source))["Payload"] == []


def test_a_reset_forgets_resources_and_workers() -> None:
    with LocalAWS() as aws:
        worker = holding_worker(aws)
        aws.client("secretsmanager").create_secret(Name="some", SecretString="value")
        aws.reset()
        assert aws.workers() == []
        assert not is_running(worker)
        assert aws.client("secretsmanager").list_secrets()["SecretList"] == []
        assert is_running(holding_worker(aws))


def test_it_says_how_to_set_up_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(LocalAWSError, match="sets the environment 'local-aws' up"):
        LocalAWS(environments=tmp_path).start()


def test_a_server_that_does_not_come_up_is_reported_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "local-aws").symlink_to(ENVIRONMENTS / "local-aws")
    with pytest.raises(LocalAWSError, match=r"(?s)ended before it was ready.*lambda-runtime"):
        LocalAWS(environments=tmp_path).start()


def test_it_refuses_another_version_of_ministack(tmp_path: Path) -> None:
    metadata = tmp_path / "ministack-9.9.9.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: ministack\nVersion: 9.9.9\n")
    answer = run_server(tmp_path, "--directory", str(tmp_path), "--lambda-python", "python")
    assert answer.returncode != 0
    assert "mends ministack 1.5.33, and 9.9.9 is installed" in answer.stderr


def run_server(first_on_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment: Any = {"PYTHONPATH": os.pathsep.join([str(first_on_path), str(IMPORT_ROOT)])}
    command = [str(SERVER_PYTHON), "-m", "local_aws.server", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
