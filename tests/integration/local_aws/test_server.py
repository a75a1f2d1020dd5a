"""The local AWS starts when asked, keeps to itself, and leaves nothing behind however it ends."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import HTTPClientError

from local_aws import ENVIRONMENTS, IMPORT_ROOT, LocalAWS, LocalAWSError
from local_aws.inline_function import create_function, invoke
from local_aws.waiting import eventually, is_running

pytest_plugins = ["local_aws.fixtures"]

# Starts a local AWS with a function that holds its worker, prints what exists, and waits to be killed.
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


def listening(pid):
    """Return the local addresses, in the kernel's hexadecimal, of a process's listening sockets."""
    links = [str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    tables = [Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6", "udp", "udp6")]
    lines = [line.split() for table in tables for line in table.splitlines()[1:]]
    # State 0A of TCP is LISTEN. An unconnected socket of UDP is in 07.
    return {fields[1].split(":")[0] for fields in lines if fields[9] in inodes and fields[3] in ("0A", "07")}


def start_worker(aws):
    """Start a worker and return its process id."""
    name = create_function(aws, "import os\ndef handler(event, context): return os.getpid()")
    return invoke(aws, name)["Payload"]


def test_it_listens_on_the_loopback_interface_only(local_aws):
    start_worker(local_aws)
    assert listening(local_aws.server_pid) == {"0100007F"}


@pytest.mark.parametrize("end", [LocalAWS.stop, signal.SIGTERM, signal.SIGINT], ids=["stop", "SIGTERM", "SIGINT"])
def test_it_ends_with_its_functions_and_leaves_no_file(end):
    with LocalAWS() as aws:
        worker, server, directory = start_worker(aws), aws.server_pid, aws.directory
        assert directory.exists()
        if end is LocalAWS.stop:
            aws.stop()
            assert not is_running(server)
        else:
            os.kill(server, end)
        eventually(lambda: not is_running(server) and not is_running(worker) and not directory.exists())


def test_a_killed_server_takes_its_functions_along():
    """Also one that is at work and does not ask the server for more."""
    with LocalAWS() as aws, ThreadPoolExecutor() as pool:
        name = create_function(aws, "import time\ndef handler(event, context): time.sleep(50)", Timeout=60)
        lost = pool.submit(invoke, aws, name)
        worker = eventually(lambda: [worker["pid"] for worker in aws.workers() if worker["busy"] and worker["pid"]])[0]
        os.kill(aws.server_pid, signal.SIGKILL)
        eventually(lambda: not is_running(worker))
        assert isinstance(lost.exception(), HTTPClientError)


def test_a_killed_parent_takes_everything_along():
    environment = os.environ | {"PYTHONPATH": str(IMPORT_ROOT)}
    with subprocess.Popen([sys.executable, "-c", PARENT], env=environment, stdout=subprocess.PIPE) as parent:
        server, worker, directory = json.loads(parent.stdout.readline())
        assert is_running(server)
        assert is_running(worker)
        parent.kill()
        eventually(lambda: not is_running(server) and not is_running(worker) and not Path(directory).exists())


def test_a_server_that_does_not_start_is_reported_with_the_cause(tmp_path, monkeypatch):
    monkeypatch.setattr("local_aws.ENVIRONMENTS", tmp_path)
    with pytest.raises(LocalAWSError, match="sets the environment 'local-aws' up"):
        LocalAWS().start()
    (tmp_path / "local-aws").symlink_to(ENVIRONMENTS / "local-aws")
    with pytest.raises(LocalAWSError, match=r"(?s)ended before it was ready.*lambda-runtime"):
        LocalAWS().start()
