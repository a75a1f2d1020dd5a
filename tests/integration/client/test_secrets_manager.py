"""The source handles the answers of AWS. moto replaces Secrets Manager."""

import io
import json
import os
import sys

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from integration import wire
from integration.wire import NAME
from talend_token import RenewalFailed, TokenUnavailable
from talend_token._sources import source_from_environment
from talend_token.secrets_manager import SecretsManagerSource

V1 = "11111111-1111-1111-1111-111111111111"
TEXT = wire.secret(token="hunter2")["SecretString"]


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def secret(aws):
    return aws.create_secret(Name=NAME, SecretString=TEXT, ClientRequestToken=V1)["ARN"]


class Client:
    """A client of both services with given answers or errors, which records the parameters of its calls."""

    def __init__(self, read=None, renewal=None):
        self.read = read
        self.renewal = renewal or {"outcome": "rotated"}
        self.function_error = {}
        self.calls = []

    def get_secret_value(self, **parameters):
        return self._answer(parameters, self.read)

    def invoke(self, **parameters):
        answer = self._answer(parameters, self.renewal)
        return {"Payload": io.BytesIO(json.dumps(answer).encode())} | self.function_error

    def close(self):
        """Do nothing, because there are no connections."""

    def _answer(self, parameters, answer):
        self.calls.append(parameters)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def event(self):
        """Return the last event that was sent to the function."""
        return json.loads(self.calls[-1]["Payload"])


class Session:
    """A boto3 session with the test's clients, which records how they were created."""

    def __init__(self, secretsmanager, functions=None):
        self.clients = {"secretsmanager": secretsmanager, "lambda": functions or secretsmanager}
        self.made = []

    def client(self, service, **how):
        self.made.append(how)
        return self.clients[service]


@pytest.fixture
def functions():
    return Client()


@pytest.fixture
def source(secret, functions, aws):  # noqa: ARG001 (it has to exist)
    source = SecretsManagerSource(NAME, "renew", session=Session(aws, functions))
    source.read()
    return source


def reading(answer):
    return SecretsManagerSource(NAME, "renew", session=Session(Client(answer)))


# --- reading ---


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_published_token_is_read_by_name_and_by_arn(secret, by_arn):
    published = SecretsManagerSource(secret if by_arn else NAME).read()
    token = published.token
    assert (token.access_token, token.expires_at) == ("hunter2", 1795474789)
    assert (token.version_id, token.api_url) == (V1, "https://api.eu.cloud.talend.com")
    assert published.issued_at == 1795472989


@pytest.mark.usefixtures("secret")
def test_the_session_that_the_program_has_set_up_is_used_and_none_is_made(monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    SecretsManagerSource(NAME).read()
    assert boto3.DEFAULT_SESSION is None
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    source = SecretsManagerSource(NAME)
    boto3.setup_default_session(region_name="eu-west-3")
    boto3.client("secretsmanager").create_secret(Name=NAME, SecretString=TEXT, ClientRequestToken=V1)
    assert source.read().token.version_id == V1


@pytest.mark.parametrize(
    ("headers", "answered_at"),
    [({"date": "Mon, 23 Nov 2026 22:29:49 GMT"}, 1795472989), ({}, None), ({"date": "yesterday"}, None)],
)
def test_the_answers_date_is_aws_s_time(headers, answered_at):
    answer = {"VersionId": V1, "SecretString": TEXT, "ResponseMetadata": {"HTTPHeaders": headers}}
    assert reading(answer).read().answered_at == answered_at


def test_after_a_read_the_name_is_that_of_the_answer():
    """An ARN need not end in seven more characters."""
    client = Client({"Name": NAME, "VersionId": V1, "SecretString": TEXT})
    arn = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{NAME}"
    source = SecretsManagerSource(arn, "renew", session=Session(client))
    assert source.read().answered_at is None
    assert str(source) == f"token secret '{NAME}'"
    source.renew(V1)
    assert client.event["account"] == "default"


def test_an_arn_decides_the_region_of_the_session_that_is_given(functions, monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", Session(None))
    session = Session(functions)
    secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:talend-token/sales/token-a1b2c3"
    source = SecretsManagerSource(secret, "arn:aws:lambda:us-west-2:123456789012:function:renew", session=session)
    source.renew(V1)
    # Before the first read, the account is that of the ARN.
    assert functions.event["account"] == "sales"
    with pytest.raises(TokenUnavailable):
        source.read()
    assert [made["region_name"] for made in session.made] == ["us-west-2", "us-east-1"]


def test_time_limits_and_retries_are_set_and_not_inherited(source):
    source.renew(V1)
    reading, invoking = (made["config"] for made in source._session.made)
    assert (reading.connect_timeout, reading.read_timeout) == (2, 3)
    assert reading.retries == {"mode": "standard", "total_max_attempts": 2}
    # The renew function's timeout is 30 seconds.
    assert (invoking.connect_timeout, invoking.read_timeout) == (2, 35)
    assert invoking.retries == {"total_max_attempts": 1}


def code(name):
    return ClientError({"Error": {"Code": name, "Message": "hunter2"}}, "Operation")


TRY_AGAIN = "Try again. If this continues, check the AWS Health Dashboard."
UNEXPECTED = (
    "an unexpected answer. The answer may not be from AWS. Check AWS_ENDPOINT_URL, the proxy, or the test's stub."
)
NO_OBJECT = "it does not hold a token document: not a JSON object. Force a rotation, which publishes one."


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            code("AccessDeniedException"),
            "AccessDeniedException. Attach the managed policy of the stack's output ConsumerPolicyArn to this role.",
        ),
        (
            code("ResourceNotFoundException"),
            "ResourceNotFoundException. Check its name and the Region. If it is new, force the first rotation.",
        ),
        (ClientError({}, "GetSecretValue"), f"unknown. {TRY_AGAIN}"),
        (EndpointConnectionError(endpoint_url="https://x"), f"EndpointConnectionError. {TRY_AGAIN}"),
        (KeyError("hunter2"), UNEXPECTED),
        ({"SecretString": TEXT}, UNEXPECTED),
        ({"VersionId": V1, "SecretString": "hunter2"}, NO_OBJECT),
        ({"VersionId": V1, "SecretBinary": b"hunter2"}, NO_OBJECT),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_failed_read_names_the_secret_the_cause_and_the_fix(answer, problem):
    with pytest.raises(TokenUnavailable) as caught:
        reading(answer).read()
    assert str(caught.value) == f"token secret '{NAME}' cannot be read: {problem}"
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("secret")
def test_no_local_variable_shows_the_token_when_something_fails(monkeypatch):
    """A crash reporter would print the variables of all frames."""
    source = SecretsManagerSource(NAME)
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


@pytest.mark.parametrize("by_arn", [False, True])
@pytest.mark.parametrize(
    ("name", "account"),
    [("a/b/eu-2/token", "eu-2"), ("sales/token", "sales"), ("mine", None), ("x/other", None), ("token", None)],
)
def test_the_account_is_that_of_the_secrets_name(functions, name, account, by_arn):
    secret = f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-a1b2c3" if by_arn else name
    SecretsManagerSource(secret, "renew", session=Session(functions)).renew(V1)
    assert functions.event.get("account") == account


def test_the_environment_names_the_secret_and_the_renew_function(monkeypatch):
    client = Client({"VersionId": V1, "SecretString": TEXT})
    monkeypatch.delenv("TALEND_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("TALEND_TOKEN_SECRET", NAME)
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew-of-the-stack")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", Session(client))
    source = source_from_environment()
    assert source.read().token.version_id == V1
    source.renew(V1)
    read, renewal = client.calls
    assert (read["SecretId"], renewal["FunctionName"]) == (NAME, "renew-of-the-stack")
    assert client.event == {"account": "default", "rejected_version_id": V1}


@pytest.mark.parametrize(
    ("members", "waiting_time"), [({"retry_after_seconds": 37}, 37), ({}, 0), ({"retry_after_seconds": None}, 0)]
)
def test_an_answer_is_returned_with_its_waiting_time(source, functions, members, waiting_time):
    functions.renewal = {"outcome": "too_soon"} | members
    renewal = source.renew(V1)
    assert (renewal.outcome, renewal.retry_after_seconds) == ("too_soon", waiting_time)


POLICY = "attach the managed policy of the stack's output ConsumerPolicyArn"


@pytest.mark.parametrize(
    ("error", "said", "outcome", "retry_after", "may_show"),
    [
        (code("AccessDeniedException"), POLICY, "denied", 60, False),
        (code("ResourceNotFoundException"), POLICY, "denied", 60, False),
        (code("TooManyRequestsException"), "TooManyRequestsException", "throttled", 5, True),
        (code("ServiceException"), "ServiceException", "failed", 5, True),
        (ReadTimeoutError(endpoint_url="https://x"), "ReadTimeoutError", "failed", 5, True),
    ],
)
def test_a_failed_invocation_is_reported_by_its_kind(source, functions, error, said, outcome, retry_after, may_show):
    functions.renewal = error
    match = f"version {V1} was rejected, and function 'renew' could not be invoked: .*{said}"
    with pytest.raises(RenewalFailed, match=match) as caught:
        source.renew(V1)
    assert (caught.value.outcome, caught.value.retry_after_seconds) == (outcome, retry_after)
    assert caught.value.may_show is may_show


def test_a_failed_function_is_reported_with_its_message(source, functions):
    functions.function_error = {"FunctionError": "Unhandled"}
    functions.renewal = {"errorType": "LockUnavailable", "errorMessage": "the lock table cannot be asked"}
    with pytest.raises(RenewalFailed, match="'renew' failed to replace it: the lock table cannot be asked") as caught:
        source.renew(V1)
    assert (caught.value.outcome, caught.value.may_show) == ("failed", True)


def test_without_a_renew_function_a_rejection_stands():
    source = SecretsManagerSource(NAME)
    with pytest.raises(RenewalFailed, match="Set TALEND_RENEW_FUNCTION") as caught:
        source.renew(V1)
    assert (caught.value.outcome, caught.value.retry_after_seconds) == ("not_configured", 60)


def test_a_forked_process_makes_clients_of_its_own(source, monkeypatch):
    made = len(source._session.made)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    source.read()
    source.read()
    assert len(source._session.made) == made + 1
