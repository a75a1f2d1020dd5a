"""`exec` becomes a command with a token in its environment."""

import os
import signal

import pytest

from doubles.aws import API


class Replaced(BaseException):
    """This process is another program now."""


@pytest.fixture
def executed(monkeypatch):
    """Each executed command: file, arguments, environment and the handler of SIGPIPE."""
    executed = []

    def execvpe(file, arguments, environment):
        executed.append((file, list(arguments), dict(environment), signal.getsignal(signal.SIGPIPE)))
        raise Replaced

    monkeypatch.setattr(os, "execvpe", execvpe)
    before = signal.getsignal(signal.SIGPIPE)
    yield executed
    signal.signal(signal.SIGPIPE, before)


@pytest.mark.parametrize("separator", [("--",), ()])
def test_the_command_has_token_and_url_in_its_environment(aws, terminal, executed, monkeypatch, separator):
    monkeypatch.setenv("KEPT", "yes")
    token = aws.publish()
    with pytest.raises(Replaced):
        terminal.run("exec", *separator, "job", "--json", "-x")
    ((file, arguments, environment, sigpipe),) = executed
    assert (file, arguments) == ("job", ["job", "--json", "-x"])
    assert environment["TALEND_ACCESS_TOKEN"] == token
    assert environment["TALEND_API_URL"] == API
    assert environment["KEPT"] == "yes"
    assert "TALEND_ACCESS_TOKEN" not in os.environ
    # Python ignores SIGPIPE, which the command would inherit.
    assert sigpipe is signal.SIG_DFL


@pytest.mark.parametrize(("mode", "exit_code", "problem"), [(None, 127, "is not found"), (0o600, 126, "cannot be")])
def test_a_command_that_cannot_be_executed_is_reported(aws, terminal, tmp_path, mode, exit_code, problem):
    aws.publish()
    command = tmp_path / "job"
    if mode:
        command.touch(mode)
    before = signal.getsignal(signal.SIGPIPE)
    assert terminal.run("exec", "--", str(command)) == exit_code
    assert signal.getsignal(signal.SIGPIPE) is before
    assert terminal.err.startswith(f"talend-token: exec: {str(command)!r} {problem}")
