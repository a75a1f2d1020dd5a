"""The command line in process, with an AWS in memory."""

import contextlib
import io
import shlex
import shutil
from types import SimpleNamespace

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from doubles import Clock
from doubles.aws import InMemoryAWS
from talend_token._command_line.entry import main

UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")


class Terminal:
    """Runs the command line, and keeps in `out` and `err` the text that the last run printed."""

    def __init__(self, clock, capsys):
        self.clocks = SimpleNamespace(time=clock, monotonic=clock, sleep=lambda seconds: clock.sleep(seconds))
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, command, *arguments):
        """Return the exit code. The text that is printed is searched for secrets, except the output of `token`."""
        arguments, token = [*shlex.split(command), *arguments], io.StringIO()
        try:
            with contextlib.redirect_stdout(token) if "token" in arguments else contextlib.nullcontext():
                return main(arguments, clocks=self.clocks)
        finally:
            printed, self.err = self._capsys.readouterr()
            self.out = printed + token.getvalue()


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("TALEND_TOKEN_SECRET", "TALEND_RENEW_FUNCTION", "TALEND_ACCESS_TOKEN", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    # argparse wraps its help at the width of the terminal.
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def aws(clock, monkeypatch):
    aws = InMemoryAWS(clock)
    aws.add_stack()
    monkeypatch.setattr(boto3.session, "Session", aws.session)
    return aws


@pytest.fixture
def terminal(clock, capsys):
    return Terminal(clock, capsys)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, which is removed at the end, because files that are left are searched for secrets."""
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def file(folder):
    """The file that `write` keeps current."""
    return folder / "token.json"


@pytest.fixture
def once(terminal, file):
    """Write the file once, and return the exit code."""
    return lambda *options: terminal.run("write --once", *options, str(file))
