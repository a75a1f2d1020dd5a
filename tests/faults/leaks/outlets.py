"""Looks at logs, output, requests and child processes: all ways out other than exceptions and return values."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import botocore
import pytest

from faults.leaks.frames import Tell, called_by_the_functions, ends_of
from faults.leaks.search import MINTED, Marks

# Secrets belong only in these members of requests to Secrets Manager,
_SECRET_MEMBERS = ("SecretString", "SecretBinary")
# in this header of a request, up to the end of its line,
_AUTHORIZATION = re.compile(rb"^authorization:[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_HEAD = re.compile(rb"[A-Z]+ \S+ HTTP/1\.1\r\n")
_SECRETS_MANAGER = b"X-Amz-Target: secretsmanager."
_to_secrets_manager: WeakSet[Any] = WeakSet()
# and in the output of a command that prints them.
_ASKED_FOR = ("get-secret-value", "talend_token token", "talend-token token")


def listen(marks: Marks, tell: Tell) -> None:
    """Learn of every secret that is minted in this process, and look at every request of `http.client` (so of requests
    and urllib3, too). Audit hooks stay for good."""

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == MINTED:
            marks.add(arguments[0])
        elif event == "http.client.send" and called_by_the_functions(sys._getframe(1)):
            _request(*arguments, tell)  # type: ignore[call-arg]
        elif event == "local_aws.stop":
            # One that a test has hung or killed remembers nothing.
            with contextlib.suppress(OSError):
                tell("what the local AWS remembers", arguments[0].memory())

    sys.addaudithook(hear)


def tap(patch: pytest.MonkeyPatch, tell: Tell) -> None:
    """Look at log records, at what tests read of the captured output, at the output of child processes, and at what
    the AWS SDK is asked to send; until `patch` is undone."""

    def handle(logger: logging.Logger, record: logging.LogRecord, *, original: Any = logging.Logger.handle) -> None:
        tell(f"a log record of {record.name}", f"{record.getMessage()}\n{vars(record)}")
        original(logger, record)

    def readouterr(capture: Any, *, original: Any = pytest.CaptureFixture.readouterr) -> Any:
        captured = original(capture)
        for stream in captured:
            tell("the captured output", _text(stream))
        return captured

    def communicate(process: Any, *given: Any, original: Any = subprocess.Popen.communicate, **named: Any) -> Any:
        streams = original(process, *given, **named)
        command = process.args if isinstance(process.args, str) else " ".join(map(str, process.args))
        if not any(word in command for word in _ASKED_FOR):
            for stream in filter(None, streams):
                tell(f"the output of a child process ({command.split()[0].rpartition('/')[2]})", _text(stream))
        return streams

    patch.setattr(logging.Logger, "handle", handle)
    patch.setattr(pytest.CaptureFixture, "readouterr", readouterr)
    patch.setattr(subprocess.Popen, "communicate", communicate)
    botocore.register_initializer(lambda session: session.register("before-call", _aws_call(tell)))


def _text(stream: str | bytes) -> str:
    return stream if isinstance(stream, str) else stream.decode(errors="replace")


def _aws_call(tell: Tell) -> Callable[..., None]:
    def look(model: Any, params: dict[str, Any], **_: Any) -> None:
        body: Any = _text(params["body"]) if isinstance(params["body"], bytes) else params["body"]
        if model.service_model.service_name == "secretsmanager":
            body = {name: member for name, member in json.loads(body).items() if name not in _SECRET_MEMBERS}
        where = f"what was sent to AWS by {model.service_model.service_name}:{model.name}"
        tell(where, f"{params['url_path']}\n{params['query_string']}\n{dict(params['headers'])}\n{body}")

    return look


def _request(connection: Any, data: Any, tell: Tell) -> None:
    if not isinstance(data, bytes | bytearray):
        return
    if _HEAD.match(data):
        # The body may be sent apart from its head.
        (_to_secrets_manager.add if _SECRETS_MANAGER in data else _to_secrets_manager.discard)(connection)
    if connection not in _to_secrets_manager:
        text = _AUTHORIZATION.sub(b"", bytes(data)).decode("latin-1")
        tell("an HTTP request, apart from its Authorization", ends_of(text))
