"""`exec` becomes a command with a token in its environment."""

import os
import signal

import pytest

from doubles.aws import API


class Replaced(BaseException):
    """This process is another program now."""


@pytest.fixture
def executed(monkeypatch):
    """What was executed: file, arguments, environment and the handler of SIGPIPE."""
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


def test_nothing_is_executed_without_a_valid_token(aws, terminal, executed):
    aws.publish(age=1500)
    assert terminal.run("exec", "--min-remaining", "600", "--", "job") == 6
    assert executed == []


@pytest.mark.parametrize("arguments", [(), ("--",)])
def test_a_command_has_to_be_named(aws, terminal, arguments):
    assert terminal.run("exec", *arguments) == 2
    assert terminal.err == "talend-token: exec needs a command: talend-token exec -- CMD.\n"
    assert aws.calls == []


@pytest.mark.parametrize(("mode", "exit_code", "problem"), [(None, 127, "is not found"), (0o600, 126, "cannot be")])
def test_what_cannot_be_executed_is_reported_as_by_a_shell(aws, terminal, tmp_path, mode, exit_code, problem):
    aws.publish()
    command = tmp_path / "job"
    if mode:
        command.touch(mode)
    before = signal.getsignal(signal.SIGPIPE)
    assert terminal.run("exec", "--", str(command)) == exit_code
    assert signal.getsignal(signal.SIGPIPE) is before
    assert terminal.err.startswith(f"talend-token: exec: {str(command)!r} {problem}")


def test_an_argument_that_no_command_can_have_is_refused(aws, terminal):
    aws.publish()
    assert terminal.run("exec", "--", "true", "a\0b") == 126
