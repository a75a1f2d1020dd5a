"""A failure is one line on standard error that names the problem and the fix, with a documented exit code."""

import re
import signal
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ProfileNotFound, ReadTimeoutError

from doubles import marked
from doubles.aws import TOKEN
from unit.command_line.conftest import UNREACHABLE

ROTATE = "talend-token-rotate"
ANOTHER_FUNCTION = f"account 'default': function {ROTATE!r} did not answer as a rotate function does. Check --stack."
PAIR = f"abc:{marked('a secret in a file')}"


def given(age=0, answer=None, encoding=None, **faults):
    """Return what prepares a published token of that age, the answer of both functions, a file and AWS's faults."""

    def prepare(aws):
        if age is not None:
            aws.publish(age=age)
        if encoding:
            Path("pair.txt").write_text(PAIR, encoding)
        aws.functions = dict.fromkeys(aws.functions, lambda _: answer)
        aws.faults = faults

    return prepare


def no_stack(aws):
    aws.stacks.clear()
    aws.secrets.clear()


def failed_stack(aws):
    aws.stacks["talend-token"] = {"StackStatus": "ROLLBACK_COMPLETE"}


def another_secret(aws):
    aws.secrets[TOKEN] = [{"id": "v", "text": "hunter2", "created": 0}]


def not_executable(aws):
    Path("job").touch(0o600)
    aws.publish()


nothing = given(age=None)
denied = given(get_secret_value="AccessDeniedException", describe_stacks="AccessDeniedException")
refused = given(answer={"errorMessage": "the credentials are refused. Fix them.", "errorType": "X"})
# The function may be invoked, but the command may not read whether the other run has published.
unknown = given(answer={"outcome": "in_progress", "version_id": None}, get_secret_value="AccessDenied")
late = given(invoke=ReadTimeoutError(endpoint_url="https://x"))
read_only = given(encoding="utf-8", put_secret_value="AccessDenied")
too_soon = given(answer={"outcome": "too_soon", "retry_after_seconds": 42})
exhausted = given(answer={"outcome": "budget_exhausted", "retry_after_seconds": 3600})


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "prepare", "exit_code", "problem"),
    [
        ("token --profile nix", given(session=ProfileNotFound(profile="nix")), 2, ": profile 'nix': ProfileNotFound. "),
        ("token", no_stack, 6, f"'default': neither token secret '{TOKEN}' nor stack 'talend-token' is in eu-west-1"),
        ("token --account sales", nothing, 6, "'sales': token secret 'talend-token/sales/token' does not exist"),
        # A stack without outputs does not hide the missing secret.
        ("token", failed_stack, 6, f"account 'default': token secret '{TOKEN}' does not exist"),
        ("token --stack talend-token", failed_stack, 6, "its state is ROLLBACK_COMPLETE"),
        ("token", another_secret, 6, "cannot be read: it does not hold a token document: not a JSON object"),
        # The error names the right that a consumer needs, which is not one on the stack.
        ("token", denied, 5, f"account 'default': token secret '{TOKEN}': AccessDeniedException. "),
        ("token", given(get_secret_value=NoCredentialsError()), 5, f"token secret '{TOKEN}'.*aws sso login"),
        ("token", given(get_secret_value="ExpiredTokenException"), 5, "Log in again"),
        ("token", given(get_secret_value="InvalidSignatureException"), 5, "clock"),
        ("token", given(get_secret_value="InvalidRequestException"), 6, "marked for deletion, restore it"),
        ("token", given(get_secret_value=UNREACHABLE), 4, "network"),
        ("token", given(get_secret_value="ThrottlingException"), 4, "try again"),
        ("token", given(get_secret_value="SomethingNew"), 1, "--debug"),
        ("status --stack nix", nothing, 6, "there is no stack 'nix' in eu-west-1. Check --stack, --region and"),
        ("status", given(describe_stacks=UNREACHABLE), 4, "'talend-token': EndpointConnectionError. Check the network"),
        ("status", given(describe_stacks=ClientError({}, "DescribeStacks")), 1, "'talend-token': unknown. Try again"),
        ("status", given(describe_alarms=UNREACHABLE), 4, ": alarms: EndpointConnectionError"),
        ("status", given(list_imports=UNREACHABLE), 4, "EndpointConnectionError"),
        ("status", given(get_schedule=UNREACHABLE), 4, "EndpointConnectionError"),
        ("rotate", refused, 1, "account 'default': rotate failed: the credentials are refused. Fix them.$"),
        ("doctor", refused, 1, "account 'default': rotate failed: the credentials are refused. Fix them.$"),
        *(("rotate", given(answer=answer), 1, ANOTHER_FUNCTION) for answer in ([], {}, "rotated")),
        ("rotate", unknown, 5, f"token secret '{TOKEN}': AccessDenied"),
        ("rotate", late, 4, f"function {ROTATE!r}: ReadTimeoutError."),
        ("rotate", given(invoke="AccessDeniedException"), 5, "AccessDeniedException on invoke. Check the role's polic"),
        ("renew", too_soon, 1, "too_soon: .*wait for 42 seconds"),
        ("renew", exhausted, 1, "budget_exhausted: .*use `talend-token rotate`"),
        ("renew", given(invoke="AccessDeniedException"), 5, "AccessDeniedException"),
        ("renew", given(invoke="ServiceException"), 1, "ServiceException"),
        # The stack is looked for before the pair is asked for.
        ("credentials", no_stack, 6, "there is no stack 'talend-token'"),
        ("credentials", nothing, 2, "Name a file, or - for standard input"),
        ("credentials pair.txt", nothing, 2, "file 'pair.txt' cannot be read: No such file"),
        ("credentials pair.txt", given(encoding="utf-16"), 2, "file 'pair.txt' is not UTF-8 text"),
        ("credentials pair.txt", read_only, 5, "credentials secret 'talend-token/default/credentials': AccessDenied"),
        ("exec --min-remaining 600 -- job", given(age=1500), 6, "but 600 were requested"),
        ("exec -- ./job", given(), 127, "exec: './job' is not found"),
        ("exec -- ./job", not_executable, 126, "exec: './job' cannot be executed: Permission denied"),
        ("exec -- true 'a\0b'", given(), 126, "'true' cannot be executed: not an argument"),
        (
            "write token.json",
            given(age=1798),
            6,
            "version [0-9a-f-]{36} has expired, and no newer token is published. `t",
        ),
        ("write --once no/token.json", given(), 2, "'no/token.json' cannot be written: No such .* Check folder 'no'"),
        # For root, too, who may read everything else.
        (f"write --once {'x' * 300}", given(), 2, "cannot be written: File name too long"),
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
        ("token --min-remaining=-1", "not a number of seconds, 0 or more"),
        ("token --min-remaining=nan", "not a number of seconds, 0 or more"),
        ("token --min-remaining=inf", "not a number of seconds, 0 or more"),
        ("token --min-remaining=x", "not a number of seconds, 0 or more"),
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
