"""A pytest plugin: every test of the suite fails at its end if a piece of a marked secret has come out of anything.

`faults.leaks.frames` searches exceptions and return values, and this module output, logs, metrics, requests, the memory
of the local AWS, and the files that tests leave.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import botocore
import pytest

from faults.leaks.frames import Tell, Watch, called_by_the_functions, ends_of
from faults.leaks.search import FILE_VARIABLE, MINTED, Leak, Marks

_NAME = "nothing-leaks"
ROOT = Path(__file__).resolve().parents[3]
# The marker of a test that runs thousands of times what other tests run under watch.
UNWATCHED = "frames_unwatched"
# Texts wait until their test ends, or until there are so many characters.
_PATIENCE = 4_000_000
# Only other programs and archives are larger.
_LARGEST_FILE = 2_000_000
# Secrets belong only in these members of requests to Secrets Manager,
_SECRET_MEMBERS = ("SecretString", "SecretBinary")
# in this header of a request, up to the end of its line,
_AUTHORIZATION = re.compile(rb"^authorization:[^\r\n]*", re.IGNORECASE | re.MULTILINE)
_HEAD = re.compile(rb"[A-Z]+ \S+ HTTP/1\.1\r\n")
_SECRETS_MANAGER = b"X-Amz-Target: secretsmanager."
_to_secrets_manager: WeakSet[Any] = WeakSet()
# and in the output of a command that prints them.
_ASKED_FOR = ("get-secret-value", "talend_token token", "talend-token token")


class Search:
    """Texts in which pieces of secrets are looked for, and where they were found."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self._leaks: set[Leak] = set()
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}
        self._size = 0

    def tell(self, where: str, text: str) -> None:
        """Search this text soon."""
        with self._lock:
            if text not in self._waiting:
                self._waiting[text] = where
                self._size += len(text)
            late = self._size > _PATIENCE
        if late:
            self._catch_up()

    def _catch_up(self) -> None:
        with self._lock:
            waiting, self._waiting, self._size = self._waiting, {}, 0
        # They are searched together at first, because there is hardly ever anything to be found.
        if waiting and self.marks.forms_in("\n".join(waiting)):
            for text, where in waiting.items():
                self._leaks |= {Leak(where, form) for form in self.marks.forms_in(text)}

    def taken(self) -> list[Leak]:
        """Return what was found since the last time."""
        self._catch_up()
        leaks, self._leaks = self._leaks, set()
        return sorted(leaks, key=str)


# --- the ways out ---


def _listen(marks: Marks, tell: Tell) -> None:
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


def _tap(patch: pytest.MonkeyPatch, tell: Tell) -> None:
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


# --- the plugin ---


class NothingLeaks:
    """The plugin, which looks from now on until `stop`."""

    def __init__(self) -> None:
        self.marks = Marks()
        self.search = Search(self.marks)
        self.watch = Watch(self.search.tell)
        self._taps = pytest.MonkeyPatch()
        self._announced = 0
        self._began = time.time()
        _listen(self.marks, self.search.tell)
        _tap(self._taps, self.search.tell)
        self.watch.start()

    def stop(self) -> None:
        self.watch.stop()
        self._taps.undo()

    def search_files(self, *folders: Path) -> None:
        """Search the files in these folders that are as young as this run."""
        self._hear_announced()
        for path in sorted(path for folder in folders for path in folder.rglob("*") if path.is_file()):
            # Another run of the tests, or a build, may take it away meanwhile.
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if path != self._announced_file and status.st_mtime >= self._began and status.st_size <= _LARGEST_FILE:
                    self.search.tell(f"the file {path}", path.read_bytes().decode("latin-1"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Frames rest in a test with the marker: all else that comes out of it is searched."""
        with self.watch.resting() if item.get_closest_marker(UNWATCHED) else contextlib.nullcontext():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._hear_announced()
        for name, text in report.sections:
            self.search.tell(name, text)
        report.sections = [(name, self.marks.clean(text)) for name, text in report.sections]
        if report.when != "teardown":
            return report
        self.watch.begin()
        leaks = self.search.taken()
        failures, self.watch.failures = self.watch.failures, []
        if leaks or failures:
            report.outcome = "failed"
            lines = [f"{item.nodeid} has let a secret out:", *map(str, leaks), *failures, str(report.longrepr or "")]
            report.longrepr = self.marks.clean("\n".join(lines))
        return report

    def _hear_announced(self) -> None:
        if self._announced_file.is_file():
            lines = self._announced_file.read_text().splitlines()
            for secret in lines[self._announced :]:
                self.marks.add(secret)
            self._announced = len(lines)

    @property
    def _announced_file(self) -> Path:
        return Path(os.environ.get(FILE_VARIABLE, os.devnull))


@pytest.fixture(scope="session", autouse=True)
def files_that_are_left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Search, at the end of the run, the folders of tests and what `sam build` has left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FILE_VARIABLE, str(tmp_path_factory.mktemp("announced") / "secrets"))
        yield
        plugin: Any = request.config.pluginmanager.get_plugin(_NAME)
        plugin.search_files(tmp_path_factory.getbasetemp(), ROOT / ".aws-sam")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{UNWATCHED}: runs too often for its exceptions and answers to be searched")
    config.pluginmanager.register(NothingLeaks(), _NAME)


def pytest_unconfigure(config: pytest.Config) -> None:
    plugin: Any = config.pluginmanager.unregister(name=_NAME)
    plugin.stop()
