"""The processes that a benchmark starts: the server of `bench.upstream_server`, and warm rotators."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.upstream_server import TOKEN_SECRET


class Process(subprocess.Popen[str]):
    """A process that answers each line of its standard input with a line of JSON, and ends with its input."""

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        super().__init__(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *question: object) -> Any:
        """Send a list as a line of JSON, and return the answer."""
        assert self.stdin is not None
        print(json.dumps(question), file=self.stdin, flush=True)
        return self.answer()

    def answer(self) -> Any:
        """Return the next answer. Raises `RuntimeError` if the process has ended."""
        assert self.stdout is not None
        if not (line := self.stdout.readline()):
            raise RuntimeError("a measured process ended: see what it printed above")
        return json.loads(line)


class Upstream(Process):
    """The server, from `with` to its end."""

    def __init__(self) -> None:
        super().__init__([sys.executable, "-m", "bench.upstream_server"], os.environ)
        self.url = self.answer()
        self.api_url = f"{self.url}/api"
        self.token_url = f"{self.url}/security/oauth/token"
        sdk = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_SESSION_TOKEN": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "no_proxy": "127.0.0.1",
        }
        self.consumer_environment = sdk | {
            "AUTHLIB_INSECURE_TRANSPORT": "1",
            "TALEND_TOKEN_SECRET": TOKEN_SECRET,
            "TALEND_RENEW_FUNCTION": "talend-token-renew",
        }
        self.function_environment = sdk | {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": "talend-token-rotate",
            "TALEND_API_URL": self.url,
            "SECRET_PREFIX": "talend",
            "SCHEDULE_EXPRESSION": "rate(25 minutes)",
            "LOCK_TABLE": "locks",
            "STACK_NAME": "talend-token",
        }
        self.life_seconds = 0

    def publish(self, life_seconds: int, age_seconds: int = 0) -> str:
        """Publish a token of that age, and return its version. Later tokens are valid for as long."""
        self.life_seconds = life_seconds
        return str(self.ask("publish", life_seconds, age_seconds))
