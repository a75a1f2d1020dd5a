"""`token` prints a valid token and nothing else."""

import json
import re

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ProfileNotFound

TOKEN = "talend-token/default/token"


@pytest.mark.parametrize(
    ("form", "printed"),
    [((), "{token}\n"), (("--header",), "Authorization: Bearer {token}\n"), (("--json",), "{document}\n")],
)
def test_the_token_in_its_form_is_all_that_is_printed(aws, terminal, form, printed):
    token = aws.publish()
    assert terminal.show("token", *form) == 0
    assert terminal.out == printed.format(token=token, document=aws.secrets[TOKEN][-1]["text"])
    assert terminal.err == ""


def test_exec_credential_is_the_form_of_kubernetes(aws, terminal):
    token = aws.publish()
    assert terminal.show("token", "--exec-credential") == 0
    assert json.loads(terminal.out) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": token, "expirationTimestamp": "2026-11-23T22:59:49Z"},
    }
    assert terminal.out.count("\n") == 1


@pytest.mark.parametrize(("age", "asked", "exit_code"), [(1199, "599", 0), (1199, "600", 6), (1801, "0", 6)])
def test_no_token_is_shown_that_is_valid_for_less_than_asked(aws, terminal, age, asked, exit_code):
    """An answer's date is in whole seconds, so a second counts as gone."""
    aws.publish(age=age)
    assert terminal.show("token", "--min-remaining", asked) == exit_code
    assert bool(terminal.out) == (exit_code == 0)
    if exit_code:
        assert aws.version() in terminal.err


# --- wrong usage ---


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--header", "--json"), "not allowed with"),
        *(((f"--min-remaining={value}",), "not a number of seconds, 0 or more") for value in ("-1", "nan", "inf", "x")),
        (("--account", "Sales/EU"), "'Sales/EU' must match"),
        # An option is not cut short.
        (("--min", "3"), "unrecognized arguments"),
    ],
)
def test_a_wrong_option_is_reported_before_aws_is_called(aws, terminal, arguments, problem):
    assert terminal.run("token", *arguments) == 2
    assert problem in terminal.err
    assert aws.calls == []


# --- finding the secret ---


def test_the_default_secret_is_read_without_any_other_call(aws, terminal):
    aws.publish()
    assert terminal.show("token") == 0
    assert aws.calls == ["get_secret_value"]


@pytest.mark.parametrize("arguments", [("--stack", "other", "token"), ("token", "--stack", "other")])
def test_a_named_stack_says_where_its_secret_is(aws, terminal, arguments):
    aws.publish()
    aws.add_stack("other", "company/talend")
    token = aws.publish("company/talend/default/token")
    assert terminal.show(*arguments) == 0
    assert terminal.out == f"{token}\n"


def test_a_stack_with_another_prefix_is_found_by_its_outputs(aws, terminal):
    aws.stacks.clear()
    aws.add_stack(prefix="company/talend")
    token = aws.publish("company/talend/default/token")
    del aws.secrets[TOKEN]
    assert terminal.show("token") == 0
    assert terminal.out == f"{token}\n"


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


# --- failures ---


def test_nothing_found_names_what_was_looked_for(aws, terminal):
    aws.secrets.clear()
    aws.stacks.clear()
    assert terminal.run("token") == 6
    assert terminal.err.count("\n") == 1
    for part in ("'default'", f"'{TOKEN}'", "stack 'talend-token'", "eu-west-1", "--stack"):
        assert part in terminal.err


@pytest.mark.parametrize("stack", [None, {"StackStatus": "ROLLBACK_COMPLETE"}])
def test_an_account_that_has_no_token_is_named(aws, terminal, stack):
    if stack:
        # A stack without outputs does not hide the missing secret.
        aws.stacks["talend-token"] = stack
    assert terminal.run("token", "--account", "sales") == 6
    assert "account 'sales': token secret 'talend-token/sales/token' does not exist" in terminal.err
    assert aws.calls == ["get_secret_value", "describe_stacks"]


def test_a_stack_that_failed_is_reported_with_its_state(aws, terminal):
    aws.stacks["talend-token"] = {"StackStatus": "ROLLBACK_COMPLETE"}
    assert terminal.run("token", "--stack", "talend-token") == 6
    assert "its state is ROLLBACK_COMPLETE" in terminal.err


def test_a_consumer_needs_no_right_on_the_stack(aws, terminal):
    """The error names the right that a consumer needs."""
    aws.faults = dict.fromkeys(("get_secret_value", "describe_stacks"), "AccessDeniedException")
    assert terminal.run("token") == 5
    assert terminal.err.startswith(f"talend-token: account 'default': token secret '{TOKEN}': AccessDeniedException. ")


def test_a_secret_without_a_token_document_is_reported(aws, terminal):
    aws.secrets[TOKEN] = [{"id": "v", "text": "hunter2", "created": 0}]
    assert terminal.run("token") == 6
    assert "it does not hold a token document: not a JSON object" in terminal.err


@pytest.mark.parametrize(
    ("fault", "exit_code", "fix"),
    [
        (NoCredentialsError(), 5, "aws sso login"),
        ("ExpiredTokenException", 5, "Log in again"),
        ("InvalidSignatureException", 5, "clock"),
        ("InvalidRequestException", 6, "marked for deletion, restore it"),
        (EndpointConnectionError(endpoint_url="https://x"), 4, "network"),
        ("ThrottlingException", 4, "try again"),
        ("SomethingNew", 1, "--debug"),
    ],
)
def test_each_error_of_aws_is_one_line_with_the_fix(aws, terminal, fault, exit_code, fix):
    aws.faults["get_secret_value"] = fault
    assert terminal.run("token") == exit_code
    assert terminal.out == ""
    assert re.fullmatch(rf"talend-token: account 'default': token secret [^\n]*{fix}[^\n]*\n", terminal.err)


def test_an_unknown_profile_is_named(terminal, monkeypatch):
    def no_profile(**_):
        raise ProfileNotFound(profile="nix")

    monkeypatch.setattr("boto3.session.Session", no_profile)
    assert terminal.run("token", "--profile", "nix") == 2
    assert terminal.err.startswith("talend-token: profile 'nix': ProfileNotFound. ")
