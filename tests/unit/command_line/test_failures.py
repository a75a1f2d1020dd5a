"""A failure is one line on standard error that names the problem and the fix, with a documented exit code."""

import re
import signal
from pathlib import Path

import pytest
from botocore.exceptions import NoCredentialsError, ProfileNotFound, ReadTimeoutError

from doubles import marked
from doubles.aws import TOKEN
from unit.command_line.conftest import UNREACHABLE

ROTATE, RENEW = "talend-token-rotate", "talend-token-renew"
ANOTHER_FUNCTION = f"account 'default': function {ROTATE!r} did not answer as a rotate function does. Check --stack."
PAIR = f"abc:{marked('a secret in a file')}"


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


def pair(encoding="utf-8", **faults):
    def prepare(aws):
        Path("pair.txt").write_text(PAIR, encoding)
        aws.faults = faults

    return prepare


def not_executable(aws):
    Path("job").touch(0o600)
    aws.publish()


DENIED = {"get_secret_value": "AccessDeniedException", "describe_stacks": "AccessDeniedException"}
REFUSED = {"errorMessage": "the credentials are refused. Fix them.", "errorType": "X"}
IN_PROGRESS = {"outcome": "in_progress", "version_id": None}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "prepare", "exit_code", "problem"),
    [
        (
            "token --profile nix",
            fail(session=ProfileNotFound(profile="nix")),
            2,
            "^.*: profile 'nix': ProfileNotFound. ",
        ),
        ("token", no_stack, 6, f"'default': neither token secret '{TOKEN}' nor stack 'talend-token' is in eu-west-1"),
        ("token --account sales", nothing, 6, "'sales': token secret 'talend-token/sales/token' does not exist"),
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
        ("status", fail(describe_stacks=UNREACHABLE), 4, "EndpointConnectionError"),
        ("status", fail(list_imports=UNREACHABLE), 4, "EndpointConnectionError"),
        ("status", fail(get_schedule=UNREACHABLE), 4, "EndpointConnectionError"),
        ("rotate", rotate(REFUSED), 1, "account 'default': rotate failed: the credentials are refused. Fix them.$"),
        ("doctor", rotate(REFUSED), 1, "account 'default': rotate failed: the credentials are refused. Fix them.$"),
        *(("rotate", rotate(answer), 1, ANOTHER_FUNCTION) for answer in ([], {}, "rotated")),
        # The function may be invoked, but the command may not read whether the other run has published.
        ("rotate", rotate(IN_PROGRESS, get_secret_value="AccessDenied"), 5, f"token secret '{TOKEN}': AccessDenied"),
        ("rotate", fail(invoke=ReadTimeoutError(endpoint_url="x")), 4, f"function {ROTATE!r}: ReadTimeoutError."),
        ("rotate", fail(invoke="AccessDeniedException"), 5, "AccessDeniedException on invoke. Check the role's polic"),
        ("renew", renew("too_soon"), 1, "too_soon: .*wait for 42 seconds"),
        ("renew", renew("budget_exhausted"), 1, "budget_exhausted: .*use `talend-token rotate`"),
        ("renew", fail(invoke="AccessDeniedException"), 5, "AccessDeniedException"),
        ("renew", fail(invoke="ServiceException"), 1, "ServiceException"),
        # The stack is looked for before the pair is asked for.
        ("credentials", no_stack, 6, "there is no stack 'talend-token'"),
        ("credentials", nothing, 2, "Name a file, or - for standard input"),
        ("credentials pair.txt", nothing, 2, "file 'pair.txt' cannot be read: No such file"),
        ("credentials pair.txt", pair("utf-16"), 2, "file 'pair.txt' is not UTF-8 text"),
        ("credentials pair.txt", pair(put_secret_value="AccessDenied"), 5, "secret '.*/credentials': AccessDenied"),
        ("exec --min-remaining 600 -- job", published(1500), 6, "but 600 were requested"),
        ("exec -- ./job", published(0), 127, "exec: './job' is not found"),
        ("exec -- ./job", not_executable, 126, "exec: './job' cannot be executed: Permission denied"),
        ("exec -- true 'a\0b'", published(0), 126, "'true' cannot be executed"),
        ("write token.json", published(1799), 6, "has expired, and no newer token is published. `talend-token doctor`"),
        ("write --once no/token.json", published(0), 2, "cannot be written: No such file or .* Check folder 'no'"),
        # For root, too, who may read everything else.
        (f"write --once {'x' * 300}", published(0), 2, "cannot be written: File name too long"),
    ],
)
def test_a_failure_is_one_line_with_problem_and_fix(aws, terminal, command, prepare, exit_code, problem):
    prepare(aws)
    signals = (signal.SIGPIPE, signal.SIGTERM, signal.SIGALRM)
    before = [signal.getsignal(number) for number in signals]
    assert terminal.run(command) == exit_code
    assert terminal.out == ""
    assert re.fullmatch(r"talend-token: [^\n]+\n", terminal.err)
    assert re.search(problem, terminal.err.strip())
    assert not Path("token.json").exists()
    assert [signal.getsignal(number) for number in signals] == before


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
        ("exec", "talend-token: exec needs a command: talend-token exec -- CMD.\n"),
        ("exec --", "talend-token: exec needs a command: talend-token exec -- CMD.\n"),
        ("""write --on-change "echo 'x" token.json""", "--on-change cannot be parsed"),
    ],
)
def test_wrong_usage_is_reported_before_aws_is_called(aws, terminal, command, problem):
    assert terminal.run(command) == 2
    assert problem in terminal.err
    assert (terminal.out, aws.calls) == ("", [])
