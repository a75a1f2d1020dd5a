"""`token` prints a valid token and nothing else."""

import pytest

TOKEN = "talend-token/default/token"
KUBERNETES = (
    '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
    '"status": {"token": "TOKEN", "expirationTimestamp": "2026-11-23T22:59:49Z"}}'
)


@pytest.mark.parametrize(
    ("form", "printed"),
    [
        ((), "TOKEN"),
        (("--header",), "Authorization: Bearer TOKEN"),
        (("--json",), "DOCUMENT"),
        (("--exec-credential",), KUBERNETES),
    ],
)
def test_the_token_in_its_form_is_all_that_is_printed(aws, terminal, form, printed):
    token = aws.publish()
    assert terminal.show("token", *form) == 0
    document = aws.secrets[TOKEN][-1]["text"]
    assert terminal.out == printed.replace("TOKEN", token).replace("DOCUMENT", document) + "\n"
    assert terminal.err == ""
    # The default secret is read without asking for its stack.
    assert aws.calls == ["get_secret_value"]


@pytest.mark.parametrize(("age", "asked", "exit_code"), [(1199, "599", 0), (1199, "600", 6), (1801, "0", 6)])
def test_no_token_is_shown_that_is_valid_for_less_than_asked(aws, terminal, age, asked, exit_code):
    """An answer's date is in whole seconds, so a second counts as gone."""
    aws.publish(age=age)
    assert terminal.show("token", "--min-remaining", asked) == exit_code
    assert bool(terminal.out) == (exit_code == 0)
    if exit_code:
        assert aws.version() in terminal.err


# --- finding the secret ---


def test_a_named_stack_says_where_its_secret_is(aws, terminal):
    aws.publish()
    aws.add_stack("other", "company/talend")
    token = aws.publish("company/talend/default/token")
    assert terminal.show("token", "--stack", "other") == 0
    assert terminal.out == f"{token}\n"


@pytest.mark.parametrize("is_denied", [False, True])
def test_a_stack_with_another_prefix_is_found_by_its_outputs(aws, terminal, is_denied):
    """AWS may deny access to a name that does not exist."""
    aws.stacks.clear()
    aws.add_stack(prefix="company/talend")
    token = aws.publish("company/talend/default/token")
    del aws.secrets[TOKEN]
    if is_denied:
        aws.faults["get_secret_value"] = "AccessDeniedException"
        aws.on_call = lambda operation: operation == "describe_stacks" and aws.faults.clear()
    assert terminal.show("token") == 0
    assert terminal.out == f"{token}\n"


def test_a_missing_secret_is_read_once(aws, terminal):
    assert terminal.run("token", "--account", "sales") == 6
    assert aws.calls == ["get_secret_value", "describe_stacks"]


@pytest.mark.parametrize(
    ("options", "secret"),
    [
        ((), "company/sales/token"),
        (("--account=sales",), "talend-token/sales/token"),
        (("--account=default",), TOKEN),
        (("--stack=talend-token",), TOKEN),
    ],
)
def test_an_option_wins_over_the_variable_of_the_library(aws, terminal, monkeypatch, options, secret):
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "company/sales/token")
    tokens = {name: aws.publish(name) for name in ("company/sales/token", "talend-token/sales/token", TOKEN)}
    assert terminal.show("token", *options) == 0
    assert terminal.out == f"{tokens[secret]}\n"


def test_profile_and_region_are_those_of_the_aws_command(aws, terminal):
    aws.publish()
    assert terminal.show("token", "--profile", "work", "--region", "us-east-1") == 0
    assert aws.sessions == [{"profile_name": "work", "region_name": "us-east-1"}]
