"""`exec` becomes a command with a token in its environment."""

import os
import signal

import pytest

from doubles.aws import API


class Replaced(BaseException):
    """This process is another program now."""


@pytest.mark.parametrize("command", ["exec -- job --json -x", "exec job --json -x"])
def test_the_command_has_token_and_url_in_its_environment(aws, terminal, monkeypatch, command):
    executed = []

    def execvpe(*call):
        executed.append(call)
        raise Replaced

    monkeypatch.setattr(os, "execvpe", execvpe)
    token = aws.publish()
    before = signal.getsignal(signal.SIGPIPE)
    with pytest.raises(Replaced):
        terminal.run(command)
    # Python ignores SIGPIPE, which the command would inherit.
    assert signal.signal(signal.SIGPIPE, before) is signal.SIG_DFL
    environment = os.environ | {"TALEND_ACCESS_TOKEN": token, "TALEND_API_URL": API}
    assert executed == [("job", ["job", "--json", "-x"], environment)]
    assert "TALEND_ACCESS_TOKEN" not in os.environ
