"""`exec` becomes a command with a token in its environment."""

import os
import signal

import pytest

from doubles.aws import API


class Replaced(BaseException):
    """This process is another program now."""


@pytest.mark.parametrize("separator", [("--",), ()])
def test_the_command_has_token_and_url_in_its_environment(aws, terminal, monkeypatch, separator):
    executed = []

    def execvpe(file, arguments, environment):
        # Python ignores SIGPIPE, which the command would inherit.
        assert signal.getsignal(signal.SIGPIPE) is signal.SIG_DFL
        executed.append((file, list(arguments), dict(environment)))
        raise Replaced

    monkeypatch.setattr(os, "execvpe", execvpe)
    monkeypatch.setenv("KEPT", "yes")
    token = aws.publish()
    before = signal.getsignal(signal.SIGPIPE)
    with pytest.raises(Replaced):
        terminal.run("exec", *separator, "job", "--json", "-x")
    signal.signal(signal.SIGPIPE, before)
    ((file, arguments, environment),) = executed
    assert (file, arguments) == ("job", ["job", "--json", "-x"])
    expected = {"TALEND_ACCESS_TOKEN": token, "TALEND_API_URL": API, "KEPT": "yes"}
    assert {name: environment[name] for name in expected} == expected
    assert "TALEND_ACCESS_TOKEN" not in os.environ


@pytest.mark.parametrize(
    ("mode", "exit_code", "problem"), [(None, 127, "is not found"), (0o600, 126, "cannot be executed: Perm")]
)
def test_a_command_that_cannot_be_executed_is_reported(aws, terminal, tmp_path, mode, exit_code, problem):
    aws.publish()
    command = tmp_path / "job"
    if mode:
        command.touch(mode)
    before = signal.getsignal(signal.SIGPIPE)
    assert terminal.run("exec", "--", str(command)) == exit_code
    assert signal.getsignal(signal.SIGPIPE) is before
    assert terminal.err.startswith(f"talend-token: exec: {str(command)!r} {problem}")
