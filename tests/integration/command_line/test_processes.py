"""The command as a process: its entry in `ps`, and a file that expires during a read."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from doubles import marked, raw_server, read_request
from integration.wire import answer, secret
from local_aws.waiting import eventually

FUNCTIONS = Path(__file__).parents[3] / "functions"


class SecretsManager:
    """Answers each read with the same token."""

    life = 1800

    def __init__(self):
        self.token = marked("of a process")
        self.goes_on = threading.Event()
        """Cleared, it does not answer."""
        self.goes_on.set()

    def serve(self, connection):
        read_request(connection)
        self.goes_on.wait(60)
        answer(connection, secret(token=self.token, issued_at=int(time.time()), life=self.life))


@pytest.fixture
def aws():
    return SecretsManager()


@pytest.fixture
def start(aws):
    """Start the command in a process that uses that Secrets Manager."""
    processes = []

    def start(*arguments):
        command = [sys.executable, "-m", "talend_token", *arguments]
        processes.append(subprocess.Popen(command, env=environment))
        return processes[-1]

    with raw_server(aws.serve) as url:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FUNCTIONS),
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
        }
        yield start
        for process in processes:
            process.kill()
            process.wait()
        aws.goes_on.set()


def test_the_command_takes_the_place_of_the_process(aws, start, tmp_path):
    """So a signal reaches it, and `ps` shows its own arguments: the token is in its environment alone."""
    ready = tmp_path / "ready"
    process = start("exec", "--", "sh", "-c", f'trap "exit 9" TERM; touch {ready}; while :; do sleep 0.05; done')
    eventually(ready.exists, 30)
    arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
    assert arguments.startswith("sh\0-c\0")
    assert aws.token not in arguments
    assert f"TALEND_ACCESS_TOKEN={aws.token}\0" in Path(f"/proc/{process.pid}/environ").read_text()
    process.terminate()
    assert process.wait(30) == 9


def test_a_file_expires_on_time_although_the_read_hangs(aws, start, tmp_path):
    aws.life, file = 4, tmp_path / "token.json"
    start("write", str(file))
    eventually(file.exists, 30)
    aws.goes_on.clear()
    expires_at = json.loads(file.read_text())["expires_at"]
    eventually(lambda: not file.exists(), 30)
    assert time.time() < expires_at
