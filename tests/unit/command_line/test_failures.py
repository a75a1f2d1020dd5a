"""A failure is one line on standard error that names the problem and the fix, with a documented exit code."""

import re
import shlex

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ProfileNotFound, ReadTimeoutError

ROTATE, RENEW, TOKEN = "talend-token-rotate", "talend-token-renew", "talend-token/default/token"
UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")
ANOTHER_FUNCTION = f"account 'default': function {ROTATE!r} did not answer as a rotate function does. Check --stack."


def nothing(_):
    """An account without a token."""


def no_stack(aws):
    aws.stacks.clear()
    aws.secrets.clear()


def failed_stack(aws):
    aws.stacks["talend-token"] = {"StackStatus": "ROLLBACK_COMPLETE"}


def another_secret(aws):
    aws.secrets[TOKEN] = [{"id": "v", "text": "hunter2", "created": 0}]


def published(age):
    return lambda aws: aws.publish(age=age)


def fail(**faults):
    def prepare(aws):
        aws.publish()
        aws.faults = faults

    return prepare


def rotate(answer, **faults):
    def prepare(aws):
        aws.functions[ROTATE] = lambda _: answer
        aws.faults = faults

    return prepare


def renew(outcome):
    def prepare(aws):
        aws.publish()
        aws.functions[RENEW] = lambda _: {"outcome": outcome, "retry_after_seconds": 42}

    return prepare


DENIED = {"get_secret_value": "AccessDeniedException", "describe_stacks": "AccessDeniedException"}
REFUSED = {"errorMessage": "the credentials are refused. Fix them.", "errorType": "X"}


@pytest.mark.parametrize(
    ("command", "prepare", "exit_code", "problem"),
    [
        ("token", no_stack, 6, f"'default': neither token secret '{TOKEN}' nor stack 'talend-token' is in eu-west-1"),
        (
            "token --account sales",
            nothing,
            6,
            "account 'sales': token secret 'talend-token/sales/token' does not exist",
        ),
        # A stack without outputs does not hide the missing secret.
        ("token", failed_stack, 6, f"account 'default': token secret '{TOKEN}' does not exist"),
        ("token --stack talend-token", failed_stack, 6, "its state is ROLLBACK_COMPLETE"),
        ("token", another_secret, 6, "cannot be read: it does not hold a token document: not a JSON object"),
        # The error names the right that a consumer needs, which is not one on the stack.
        ("token", fail(**DENIED), 5, f"account 'default': token secret '{TOKEN}': AccessDeniedException. "),
        ("token", fail(get_secret_value=NoCredentialsError()), 5, f"token secret '{TOKEN}'.*aws sso login"),
        ("token", fail(get_secret_value="ExpiredTokenException"), 5, "Log in again"),
        ("token", fail(get_secret_value="InvalidSignatureException"), 5, "clock"),
        ("token", fail(get_secret_value="InvalidRequestException"), 6, "marked for deletion, restore it"),
        ("token", fail(get_secret_value=UNREACHABLE), 4, "network"),
        ("token", fail(get_secret_value="ThrottlingException"), 4, "try again"),
        ("token", fail(get_secret_value="SomethingNew"), 1, "--debug"),
        ("status --stack nix", nothing, 6, "there is no stack 'nix' in eu-west-1. Check --stack, --region and"),
        *(
            ("status", fail(**{call: UNREACHABLE}), 4, "EndpointConnectionError")
            for call in ("describe_stacks", "list_imports", "get_schedule")
        ),
        ("rotate", rotate(REFUSED), 1, "account 'default': rotate failed: the credentials are refused. Fix them.$"),
        ("doctor", rotate(REFUSED), 1, "account 'default': rotate failed: the credentials are refused. Fix them.$"),
        *(("rotate", rotate(answer), 1, ANOTHER_FUNCTION) for answer in ([], {}, "rotated")),
        # The function may be invoked, but the command may not read whether the other run has published.
        (
            "rotate",
            rotate({"outcome": "in_progress", "version_id": None}, get_secret_value="AccessDeniedException"),
            5,
            f"token secret '{TOKEN}': AccessDeniedException",
        ),
        (
            "rotate",
            fail(invoke=ReadTimeoutError(endpoint_url="https://x")),
            4,
            f"account 'default': function {ROTATE!r}: ReadTimeoutError.",
        ),
        ("rotate", fail(invoke="AccessDeniedException"), 5, "AccessDeniedException on invoke. Check the role's polic"),
        ("renew", renew("too_soon"), 1, "too_soon: .*wait for 42 seconds"),
        ("renew", renew("budget_exhausted"), 1, "budget_exhausted: .*use `talend-token rotate`"),
        ("renew", fail(invoke="AccessDeniedException"), 5, "AccessDeniedException"),
        ("renew", fail(invoke="ServiceException"), 1, "ServiceException"),
        ("exec", nothing, 2, "exec needs a command: talend-token exec -- CMD.$"),
        ("exec --", nothing, 2, "exec needs a command: talend-token exec -- CMD.$"),
        ("exec --min-remaining 600 -- job", published(1500), 6, "but 600 were requested"),
        ("exec -- true 'a\0b'", published(0), 126, "'true' cannot be executed: not an argument"),
        ("""write --on-change "echo 'x" token.json""", nothing, 2, "--on-change cannot be parsed"),
    ],
)
def test_a_failure_is_one_line_with_problem_and_fix(aws, terminal, command, prepare, exit_code, problem):
    prepare(aws)
    assert terminal.run(*shlex.split(command)) == exit_code
    assert terminal.out == ""
    assert re.fullmatch(r"talend-token: [^\n]+\n", terminal.err)
    assert re.search(problem, terminal.err.strip())
    if exit_code == 2:
        assert aws.calls == []


def test_an_unknown_profile_is_named(terminal, monkeypatch):
    def no_profile(**_):
        raise ProfileNotFound(profile="nix")

    monkeypatch.setattr("boto3.session.Session", no_profile)
    assert terminal.run("token", "--profile", "nix") == 2
    assert terminal.err.startswith("talend-token: profile 'nix': ProfileNotFound. ")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("", "COMMAND"),
        ("token --header --json", "not allowed with"),
        *(
            (f"token --min-remaining={value}", "not a number of seconds, 0 or more")
            for value in ("-1", "nan", "inf", "x")
        ),
        ("token --account Sales/EU", "'Sales/EU' must match"),
        # An option is not cut short.
        ("token --min 3", "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_reported_before_aws_is_called(aws, terminal, command, problem):
    assert terminal.run(*command.split()) == 2
    assert problem in terminal.err
    assert aws.calls == []
