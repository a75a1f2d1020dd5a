"""`token` prints a valid token and nothing else, and `exec` becomes a command with it in its environment."""

import os
import signal

import pytest

from doubles.aws import API, TOKEN

COMPANY, SALES = "company/sales/token", "talend-token/sales/token"
KUBERNETES = (
    '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
    '"status": {"token": "TOKEN", "expirationTimestamp": "2026-11-23T22:59:49Z"}}'
)


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("token", "TOKEN"),
        ("token --header", "Authorization: Bearer TOKEN"),
        ("token --json", "DOCUMENT"),
        ("token --exec-credential", KUBERNETES),
    ],
)
def test_the_token_in_its_form_is_all_that_is_printed(aws, terminal, command, printed):
    token = aws.publish()
    assert terminal.run(command) == 0
    document = aws.secrets[TOKEN][-1]["text"]
    assert terminal.out == printed.replace("TOKEN", token).replace("DOCUMENT", document) + "\n"
    assert terminal.err == ""
    # The default secret is read without asking for its stack.
    assert aws.calls == ["get_secret_value"]


@pytest.mark.parametrize(("age", "asked", "exit_code"), [(1199, "599", 0), (1199, "600", 6), (1801, "0", 6)])
def test_no_token_is_shown_that_is_valid_for_less_than_asked(aws, terminal, age, asked, exit_code):
    """An answer's date is in whole seconds, so a second counts as gone."""
    aws.publish(age=age)
    assert terminal.run(f"token --min-remaining {asked}") == exit_code
    assert bool(terminal.out) == (exit_code == 0)
    assert (aws.version() in terminal.err) == (exit_code != 0)


@pytest.mark.parametrize(
    ("command", "variable", "secret"),
    [
        ("token --stack other", "", "company/default/token"),
        ("token", COMPANY, COMPANY),
        # An option wins over the variable of the library.
        ("token --account sales", COMPANY, SALES),
        ("token --account default", COMPANY, TOKEN),
        ("token --stack talend-token", COMPANY, TOKEN),
    ],
)
def test_options_or_the_variable_name_the_secret(aws, terminal, monkeypatch, command, variable, secret):
    monkeypatch.setenv("TALEND_TOKEN_SECRET", variable)
    aws.add_stack("other", "company")
    tokens = {name: aws.publish(name) for name in ("company/default/token", COMPANY, SALES, TOKEN)}
    assert terminal.run(command) == 0
    assert terminal.out == f"{tokens[secret]}\n"


@pytest.mark.parametrize("is_denied", [False, True])
def test_a_stack_with_another_prefix_is_found_by_its_outputs(aws, terminal, is_denied):
    """AWS may deny access to a name that does not exist."""
    aws.add_stack(prefix="company")
    token = aws.publish("company/default/token")
    del aws.secrets[TOKEN]
    if is_denied:
        aws.faults["get_secret_value"] = "AccessDeniedException"
        aws.on_call = lambda operation: operation == "describe_stacks" and aws.faults.clear()
    assert terminal.run("token") == 0
    assert terminal.out == f"{token}\n"


def test_a_missing_secret_is_read_once(aws, terminal):
    assert terminal.run("token --account sales") == 6
    assert aws.calls == ["get_secret_value", "describe_stacks"]


@pytest.mark.parametrize("command", ["token", "status", "renew", "rotate"])
def test_profile_and_region_are_those_of_the_aws_command(aws, terminal, command):
    aws.publish()
    assert terminal.run(f"{command} --profile work --region us-east-1") == 0
    assert aws.sessions == [{"profile_name": "work", "region_name": "us-east-1"}]


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
