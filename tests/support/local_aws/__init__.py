"""An embedded local AWS: ministack under a thin layer of ours, in a process of its own on a loopback port.

```python
with LocalAWS(schedule_speed=60) as aws:
    aws.client("secretsmanager").create_secret(Name="talend-token/default/token")
    subprocess.run(["sam", "deploy"], env=aws.subprocess_environment(), check=True)
```

The server ends with its functions when `stop` is called, and by itself when this process is gone, however it went. Its
log, with what functions write in it, goes with it, or stays in the folder that the variable LOCAL_AWS_LOGS names.

- `server.py` is the process. It imports a module for each service, whose docstring says what it corrects in ministack.
- `lambda_runtime.py` runs functions, each in a process of `worker.py` that `runtime_api.py` feeds.
- `listener.py`, `roles.py` and `waiting.py` are for tests.
"""

import functools
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import boto3
import botocore.config
import botocore.session

__all__ = ["LocalAWS", "LocalAWSError"]

ENVIRONMENTS = Path(__file__).resolve().parents[3] / ".environments"
IMPORT_ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 60.0
# The server ends its workers and removes its files; a busy machine gets time for it before it is killed.
STOP_SECONDS = 15.0
LOG_TAIL_BYTES = 4_000
# Longer than a function may run here and be waited for.
READ_SECONDS = 120
# The folder for logs that outlive their servers, so that a test which fails can show them.
LOGS_VARIABLE = "LOCAL_AWS_LOGS"
# ministack's administrator: this key is checked for neither signature nor rights.
ADMINISTRATOR_KEY = "test"


class LocalAWSError(RuntimeError):
    """The local AWS cannot be started or asked; the message says why."""


class LocalAWS:
    """A local AWS that runs from `start` (or `with`) to `stop`.

    - `schedule_speed`: how many times faster than the clock schedules fire.
    - `concurrency`: runs of one function at the same moment; more callers wait.
    - `retry_base_seconds`: pause before a failed asynchronous invocation is tried again, doubled each time (AWS: 60).
    """

    region = "eu-central-1"
    account_id = "123456789012"

    def __init__(self, *, schedule_speed: float = 1.0, concurrency: int = 16, retry_base_seconds: float = 1.0) -> None:
        self.endpoint_url = ""
        self.directory = Path()
        """The server's own folder, for as long as it runs."""
        self._options = {
            "schedule_speed": schedule_speed,
            "concurrency": concurrency,
            "retry_base_seconds": retry_base_seconds,
            "lambda_python": str(ENVIRONMENTS / "lambda-runtime" / "bin" / "python"),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}
        self._clients_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the server and wait until it answers; `LocalAWSError` with the end of its log if it does not."""
        python = ENVIRONMENTS / "local-aws" / "bin" / "python"
        if not python.exists():
            raise LocalAWSError(f"No interpreter at {python}: `make test` sets the environment 'local-aws' up.")
        self.directory = Path(tempfile.mkdtemp(prefix="local-aws-"))
        options = json.dumps(self._options | {"directory": str(self.directory)})
        log = Path(os.environ.get(LOGS_VARIABLE, self.directory), f"{self.directory.name}.log")
        with log.open("w+b") as file:
            self._process = subprocess.Popen(
                [python, "-m", "local_aws.server", options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(IMPORT_ROOT)},
                # Ctrl-C in a terminal reaches the parent only, which takes the server down in its own order.
                start_new_session=True,
            )
            try:
                self.endpoint_url = _endpoint_of(self._process, file)
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self) -> None:
        """Take the server down with all that it started; nothing happens if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None and self.endpoint_url:
            # A listener may ask for the last time what the server remembers.
            sys.audit("local_aws.stop", self)
        for client in self._clients.values():
            client.close()
        self._clients.clear()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def workers(self) -> list[dict[str, Any]]:
        """Return the `function`, the `pid` and whether it is `busy` of each function process that exists."""
        found: list[dict[str, Any]] = self._ask("workers")
        return found

    def memory(self) -> str:
        """Return what it remembers beside the values of secrets: log lines, metrics, items, events, messages."""
        remembered: str = self._ask("memory")
        return remembered

    def _ask(self, what: str) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.endpoint_url}/_local_aws/{what}", timeout=60) as response:
            return json.load(response)

    def environment(self) -> dict[str, str]:
        """Return the variables with which the AWS CLI, the SAM CLI and SDKs use this AWS as its administrator."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ADMINISTRATOR_KEY,
            "AWS_SECRET_ACCESS_KEY": ADMINISTRATOR_KEY,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            # The user's own profiles and settings stay out of it.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "SAM_CLI_TELEMETRY": "0",
            # A stack is there at once, so the SAM CLI need not look every five seconds.
            "SAM_CLI_POLL_DELAY": "0.1",
        }

    def subprocess_environment(self) -> dict[str, str]:
        """Return this process's environment without its variables for AWS and for `make`, and `environment` over it.

        The SAM CLI keeps an installation id in the folder that is named, instead of in the home folder. Without the
        bytecode of its modules, which it may write, half of the time of a deployment would be their compilation.
        """
        others = ("AWS_", "MAKE", "ARGS", "PYTHONDONTWRITEBYTECODE")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        return ours | self.environment() | {"__SAM_CLI_APP_DIR": str(ENVIRONMENTS / "sam-cli")}

    def client(self, service: str) -> Any:
        """Return the administrator's boto3 client of a service, with one attempt and nothing of the host's settings.

        The same service gives the same client, which any thread may use.
        """
        with self._clients_lock:
            if service not in self._clients:
                self._clients[service] = _session().client(
                    service,
                    endpoint_url=self.endpoint_url,
                    region_name=self.region,
                    aws_access_key_id=ADMINISTRATOR_KEY,
                    aws_secret_access_key=ADMINISTRATOR_KEY,
                    config=botocore.config.Config(
                        retries={"mode": "standard", "total_max_attempts": 1},
                        connect_timeout=5,
                        read_timeout=READ_SECONDS,
                        max_pool_connections=64,
                        proxies={},
                    ),
                )
            return self._clients[service]


@functools.cache
def _session() -> Any:
    nothing_of_the_host: Any = {"profile": (None, [], None, None), "config_file": (None, None, os.devnull, None)}
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=nothing_of_the_host))


def _endpoint_of(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Wait for the line in which the server says where it listens."""
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if readable else b""
    if line:
        return str(json.loads(line)["endpoint_url"])
    why = "ended before it was ready" if readable else f"was not ready within {START_SECONDS:g} seconds"
    log.seek(0)
    tail = log.read()[-LOG_TAIL_BYTES:].decode(errors="replace")
    raise LocalAWSError(f"The local AWS {why}. The end of its log:\n{tail}")
