"""The source handles the answers of AWS. `test_connections.py` has the wire in between."""

import io
import json
import os
import sys
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from integration import wire
from integration.wire import NAME
from talend_token import RenewalFailed, TokenUnavailable
from talend_token._sources import source_from_environment
from talend_token.secrets_manager import SecretsManagerSource

SECRET = wire.secret(token="hunter2")
ARN = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{NAME}-a1b2c3"


def renewal(**answer):
    return {"Payload": io.BytesIO(json.dumps({"outcome": "rotated"} | answer).encode())}


@pytest.fixture
def aws():
    """A boto3 session that is its own client."""
    aws = Mock()
    aws.client.return_value = aws
    aws.get_secret_value.return_value = SECRET
    aws.invoke.return_value = renewal()
    return aws


def event(aws):
    """Return the event that was sent to the function."""
    return json.loads(aws.invoke.call_args.kwargs["Payload"])


@pytest.fixture
def source(aws):
    return SecretsManagerSource(NAME, "renew", session=aws)


# --- reading ---


def test_the_published_token_is_read(source, aws):
    published = source.read()
    token = published.token
    assert (token.access_token, token.expires_at) == ("hunter2", 1795474789)
    assert (token.version_id, token.api_url) == ("v1", "https://api.eu.cloud.talend.com")
    assert (published.issued_at, published.answered_at) == (1795472989, None)
    aws.get_secret_value.assert_called_once_with(SecretId=NAME)


@pytest.mark.parametrize(
    ("headers", "answered_at"),
    [({"date": "Mon, 23 Nov 2026 22:29:49 GMT"}, 1795472989), ({}, None), ({"date": "yesterday"}, None)],
)
def test_the_answers_date_is_aws_s_time(source, aws, headers, answered_at):
    aws.get_secret_value.return_value = SECRET | {"ResponseMetadata": {"HTTPHeaders": headers}}
    assert source.read().answered_at == answered_at


def test_after_a_read_the_name_is_that_of_the_answer(aws):
    """An ARN need not end in seven more characters."""
    source = SecretsManagerSource(ARN[:-7], "renew", session=aws)
    source.read()
    assert str(source) == f"token secret '{NAME}'"
    source.renew("v1")
    assert event(aws)["account"] == "default"


def test_an_arn_decides_the_region_of_the_session_that_is_given(aws, monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    source = SecretsManagerSource(ARN, "arn:aws:lambda:us-west-2:123456789012:function:renew", session=aws)
    source.renew("v1")
    source.read()
    assert [made.kwargs["region_name"] for made in aws.client.call_args_list] == ["us-west-2", "us-east-1"]


def test_time_limits_and_retries_are_set_and_not_inherited(source, aws):
    source.read()
    source.renew("v1")
    reading, invoking = (made.kwargs["config"] for made in aws.client.call_args_list)
    assert (reading.connect_timeout, reading.read_timeout) == (2, 3)
    assert reading.retries == {"mode": "standard", "total_max_attempts": 2}
    # The renew function's timeout is 30 seconds.
    assert (invoking.connect_timeout, invoking.read_timeout) == (2, 35)
    assert invoking.retries == {"total_max_attempts": 1}


def code(name):
    return ClientError({"Error": {"Code": name, "Message": "hunter2"}}, "Operation")


ATTACH = "Attach the managed policy of the stack's output ConsumerPolicyArn to this role."
CHECK = "Check its name and the Region. If it is new, force the first rotation."
TRY_AGAIN = "Try again. If this continues, check the AWS Health Dashboard."
NO_OBJECT = "it does not hold a token document: not a JSON object. Force a rotation, which publishes one."


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (code("AccessDeniedException"), f"AccessDeniedException. {ATTACH}"),
        (code("ResourceNotFoundException"), f"ResourceNotFoundException. {CHECK}"),
        (ClientError({}, "GetSecretValue"), f"unknown. {TRY_AGAIN}"),
        (EndpointConnectionError(endpoint_url="https://x"), f"EndpointConnectionError. {TRY_AGAIN}"),
        (SECRET | {"SecretString": "hunter2"}, NO_OBJECT),
        ({"VersionId": "v1", "SecretBinary": b"hunter2"}, NO_OBJECT),
    ],
)
def test_a_failed_read_names_the_secret_the_cause_and_the_fix(source, aws, answer, problem):
    aws.get_secret_value.side_effect = [answer]
    with pytest.raises(TokenUnavailable) as caught:
        source.read()
    assert str(caught.value) == f"token secret '{NAME}' cannot be read: {problem}"
    assert caught.value.__context__ is None


def test_no_local_variable_shows_the_token_when_something_fails(source, monkeypatch):
    """A crash reporter would print the variables of all frames."""
    shown = []

    def explode(*_):
        frame = sys._getframe()
        while frame := frame.f_back:
            if "talend_token" in frame.f_code.co_filename and "tests" not in frame.f_code.co_filename:
                shown.append(repr(frame.f_locals))
        raise RuntimeError

    monkeypatch.setattr("talend_token.secrets_manager.Published", explode)
    with pytest.raises(TokenUnavailable):
        source.read()
    assert any("document" in variables for variables in shown)
    assert "hunter2" not in "".join(shown)


# --- renewing ---


@pytest.mark.parametrize("form", ["{}", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:{}-a1b2c3"])
@pytest.mark.parametrize(
    ("name", "account"),
    [("a/b/eu-2/token", "eu-2"), ("sales/token", "sales"), ("mine", None), ("x/other", None), ("token", None)],
)
def test_the_account_is_that_of_the_secrets_name(aws, form, name, account):
    SecretsManagerSource(form.format(name), "renew", session=aws).renew("v1")
    assert event(aws).get("account") == account


def test_the_environment_names_the_secret_and_the_renew_function(aws, monkeypatch):
    monkeypatch.delenv("TALEND_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("TALEND_TOKEN_SECRET", NAME)
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew-of-the-stack")
    source = source_from_environment()
    # A program may set up boto3's default session after it has created the source.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", aws)
    assert source.read().token.version_id == "v1"
    source.renew("v1")
    aws.get_secret_value.assert_called_once_with(SecretId=NAME)
    assert aws.invoke.call_args.kwargs["FunctionName"] == "renew-of-the-stack"
    assert event(aws) == {"account": "default", "rejected_version_id": "v1"}


@pytest.mark.parametrize(
    ("members", "waiting_time"), [({"retry_after_seconds": 37}, 37), ({}, 0), ({"retry_after_seconds": None}, 0)]
)
def test_an_answer_is_returned_with_its_waiting_time(source, aws, members, waiting_time):
    aws.invoke.return_value = renewal(outcome="too_soon", **members)
    answer = source.renew("v1")
    assert (answer.outcome, answer.retry_after_seconds) == ("too_soon", waiting_time)


@pytest.mark.parametrize(
    ("error", "said", "outcome", "retry_after", "may_show"),
    [
        (code("AccessDeniedException"), "a" + ATTACH[1:], "denied", 60, False),
        (code("ResourceNotFoundException"), "a" + ATTACH[1:], "denied", 60, False),
        (code("TooManyRequestsException"), "TooManyRequestsException", "throttled", 5, True),
        (code("ServiceException"), "ServiceException", "failed", 5, True),
        (ReadTimeoutError(endpoint_url="https://x"), "ReadTimeoutError", "failed", 5, True),
    ],
)
def test_a_failed_invocation_is_reported_by_its_kind(source, aws, error, said, outcome, retry_after, may_show):
    aws.invoke.side_effect = error
    match = f"version v1 was rejected, and function 'renew' could not be invoked: .*{said}"
    with pytest.raises(RenewalFailed, match=match) as caught:
        source.renew("v1")
    assert (caught.value.outcome, caught.value.retry_after_seconds) == (outcome, retry_after)
    assert caught.value.may_show is may_show


def test_a_failed_function_is_reported_with_its_message(source, aws):
    aws.invoke.return_value = renewal(errorMessage="the lock table cannot be asked") | {"FunctionError": "Unhandled"}
    with pytest.raises(RenewalFailed, match="'renew' failed to replace it: the lock table cannot be asked") as caught:
        source.renew("v1")
    assert (caught.value.outcome, caught.value.may_show) == ("failed", True)


def test_without_a_renew_function_a_rejection_stands():
    source = SecretsManagerSource(NAME)
    with pytest.raises(RenewalFailed, match="Set TALEND_RENEW_FUNCTION") as caught:
        source.renew("v1")
    assert (caught.value.outcome, caught.value.retry_after_seconds) == ("not_configured", 60)


def test_a_forked_process_makes_clients_of_its_own(source, aws, monkeypatch):
    for process, made in ((1, 1), (1, 1), (2, 2)):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        source.read()
        assert aws.client.call_count == made
