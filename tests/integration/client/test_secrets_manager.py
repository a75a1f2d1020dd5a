"""What AWS answers to a consumer, and what the consumer makes of it. moto stands for Secrets Manager."""

import io
import json
import os
import sys
import types
from datetime import datetime, timezone

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from talend_token import RenewalFailed, TokenClient, TokenUnavailable
from talend_token._sources import source_from_environment
from talend_token.secrets_manager import SecretsManagerSource

NAME = "talend-token/default/token"
V1 = "11111111-1111-1111-1111-111111111111"
DOCUMENT = {
    "access_token": "hunter2",
    "token_type": "Bearer",
    "issued_at": 1795472989,
    "expires_at": 1795474789,
    "api_url": "https://api.eu.cloud.talend.com",
}


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("secretsmanager")


@pytest.fixture
def secret(aws):
    """The token secret; gives its ARN."""
    return aws.create_secret(Name=NAME, SecretString=json.dumps(DOCUMENT), ClientRequestToken=V1)["ARN"]


class Functions:
    """A client of Lambda that answers as it is told, and remembers how it was invoked."""

    def __init__(self):
        self.events = []
        self.names = []
        self.answer = {"outcome": "rotated", "version_id": "2" * 32, "retry_after_seconds": 0}
        self.function_error = None
        self.error = None

    def close(self):
        """Close the connections, of which there are none."""

    def invoke(self, FunctionName, Payload):  # noqa: N803 (as boto3 has it)
        self.names.append(FunctionName)
        self.events.append(json.loads(Payload))
        if self.error:
            raise self.error
        answer = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(self.answer).encode())}
        return answer | ({"FunctionError": self.function_error} if self.function_error else {})


class Session:
    """A boto3 session whose clients are the test's, which remembers how they were made."""

    def __init__(self, **clients):
        self.clients = clients
        self.made = []

    def client(self, service, **how):
        self.made.append((service, how))
        return self.clients[service]


def reading_by(get_secret_value):
    """A session whose client of Secrets Manager has that one operation."""
    operations = {"get_secret_value": staticmethod(get_secret_value), "close": lambda _: None}
    return Session(secretsmanager=type("Client", (), operations)())


@pytest.fixture
def functions():
    return Functions()


@pytest.fixture
def source(secret, functions, aws):  # noqa: ARG001 (it has to exist)
    source = SecretsManagerSource(NAME, "renew", session=Session(secretsmanager=aws, **{"lambda": functions}))
    source.read()
    return source


# --- reading ---


@pytest.mark.parametrize("by_arn", [False, True])
def test_a_published_token_is_read_by_name_and_by_arn(secret, by_arn):
    published = SecretsManagerSource(secret if by_arn else NAME).read()
    token = published.token
    assert (token.access_token, token.expires_at) == ("hunter2", 1795474789)
    assert (token.version_id, token.api_url) == (V1, "https://api.eu.cloud.talend.com")
    assert published.issued_at == 1795472989


def test_the_session_that_the_program_has_set_up_is_used(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    source = SecretsManagerSource(NAME)
    boto3.setup_default_session(region_name="eu-west-3")
    boto3.client("secretsmanager").create_secret(Name=NAME, SecretString=json.dumps(DOCUMENT), ClientRequestToken=V1)
    assert source.read().token.version_id == V1


def test_its_own_session_takes_precedence_over_the_programs(aws, functions, monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", Session())
    source = SecretsManagerSource(NAME, "renew", session=Session(secretsmanager=aws, **{"lambda": functions}))
    assert source.renew(V1).outcome == "rotated"


@pytest.mark.usefixtures("secret")
def test_a_program_without_a_session_is_not_given_one(monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    SecretsManagerSource(NAME).read()
    assert boto3.DEFAULT_SESSION is None


@pytest.mark.usefixtures("secret")
def test_the_answers_date_is_aws_s_time(aws):
    def dated(**request):
        answer = aws.get_secret_value(**request)
        answer["ResponseMetadata"]["HTTPHeaders"] = {"date": "Mon, 23 Nov 2026 22:29:49 GMT"}
        return answer

    published = SecretsManagerSource(NAME, session=reading_by(dated)).read()
    assert published.answered_at == datetime(2026, 11, 23, 22, 29, 49, tzinfo=timezone.utc).timestamp()


def test_after_a_read_the_name_is_that_of_the_answer(functions):
    """An ARN need not end in seven more characters."""
    answer = {"Name": NAME, "VersionId": V1, "SecretString": json.dumps(DOCUMENT), "ResponseMetadata": {}}
    session = reading_by(lambda **_: answer)
    session.clients["lambda"] = functions
    source = SecretsManagerSource(
        f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{NAME}", "renew", session=session
    )
    assert source.read().answered_at is None
    assert str(source) == f"token secret '{NAME}'"
    source.renew(V1)
    assert functions.events[0]["account"] == "default"


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("headers", [{}, {"date": "yesterday"}, {"date": ""}])
def test_an_answer_without_a_date_leaves_the_time_open(aws, headers):
    def undated(**request):
        answer = aws.get_secret_value(**request)
        answer["ResponseMetadata"]["HTTPHeaders"] = headers
        return answer

    assert SecretsManagerSource(NAME, session=reading_by(undated)).read().answered_at is None


def test_an_arn_decides_the_region(monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    session = Session(secretsmanager=boto3.client("secretsmanager", region_name="us-east-1"))
    source = SecretsManagerSource("arn:aws:secretsmanager:us-east-1:123456789012:secret:x", session=session)
    with pytest.raises(TokenUnavailable):
        source.read()
    assert session.made[0][1]["region_name"] == "us-east-1"


def test_time_limits_and_retries_are_set_and_not_inherited(source):
    source.renew(V1)
    (_, reading), (_, invoking) = source._session.made
    assert (reading["config"].connect_timeout, reading["config"].read_timeout) == (2, 3)
    assert reading["config"].retries == {"mode": "standard", "total_max_attempts": 2}
    # The renew function's own limit is 30 seconds.
    assert (invoking["config"].connect_timeout, invoking["config"].read_timeout) == (2, 35)
    assert invoking["config"].retries == {"total_max_attempts": 1}


def failing(error):
    def get_secret_value(**_):
        raise error

    return SecretsManagerSource(NAME, session=reading_by(get_secret_value))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ClientError({"Error": {"Code": "AccessDeniedException", "Message": "hunter2"}}, "GetSecretValue"),
            "AccessDeniedException. Attach the managed policy of the stack's output ConsumerPolicyArn to this role.",
        ),
        (
            ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetSecretValue"),
            "ResourceNotFoundException. Check its name and the Region; if it is new, force the first rotation.",
        ),
        (ClientError({}, "GetSecretValue"), "unknown. Try again. If this continues, check the AWS Health Dashboard."),
        (
            EndpointConnectionError(endpoint_url="https://x"),
            "EndpointConnectionError. Try again. If this continues, check the AWS Health Dashboard.",
        ),
        (
            KeyError("hunter2"),
            "an unexpected answer. Another server may answer for AWS: check AWS_ENDPOINT_URL, the proxy, or "
            "the test's stub.",
        ),
    ],
)
def test_a_failed_read_names_the_secret_the_cause_and_the_fix(error, message):
    with pytest.raises(TokenUnavailable) as caught:
        failing(error).read()
    assert str(caught.value) == f"token secret '{NAME}' cannot be read: {message}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize("value", [{"SecretString": "hunter2"}, {"SecretBinary": b"hunter2"}, {"SecretString": "{}"}])
def test_a_secret_that_is_not_a_document_is_reported_unseen(aws, value):
    aws.create_secret(Name=NAME, **value)
    with pytest.raises(TokenUnavailable, match=r"it does not hold a token document: .* Force a rotation") as caught:
        SecretsManagerSource(NAME).read()
    assert "hunter2" not in str(caught.value)


@pytest.mark.usefixtures("secret")
def test_no_local_variable_shows_the_token_when_something_fails(monkeypatch):
    """As a crash reporter would print it: every frame's variables, of the error and of what led to it."""
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


# --- a stub of botocore's ---


@pytest.fixture
def stubbed(monkeypatch):
    """A source over a client whose answers are a stub's."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    session = types.SimpleNamespace(client=lambda *_, **__: client)
    with Stubber(client) as stubber:
        yield stubber, SecretsManagerSource(NAME, session=session)


def test_a_stub_needs_the_text_and_its_version(stubbed):
    stubber, source = stubbed
    stubber.add_response("get_secret_value", {"SecretString": json.dumps(DOCUMENT), "VersionId": "1" * 32})
    published = source.read()
    assert (published.token.access_token, published.token.version_id) == ("hunter2", "1" * 32)
    assert published.answered_at is None
    assert str(source) == f"token secret '{NAME}'"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({}, "an unexpected answer. Another server may answer for AWS: .* the test's stub"),
        ({"SecretString": json.dumps(DOCUMENT)}, "an unexpected answer. Another server may answer for AWS"),
        ({"VersionId": "1" * 32}, "it does not hold a token document: not a JSON object. Force a rotation"),
    ],
)
def test_a_stub_that_leaves_something_out_is_reported(stubbed, answer, problem):
    stubber, source = stubbed
    stubber.add_response("get_secret_value", answer)
    with pytest.raises(TokenUnavailable, match=rf"^token secret '{NAME}' cannot be read: {problem}"):
        source.read()


def test_a_stubs_error_is_reported_by_its_code(stubbed):
    stubber, source = stubbed
    stubber.add_client_error("get_secret_value", "AccessDeniedException")
    with pytest.raises(TokenUnavailable, match=r"AccessDeniedException\. Attach the managed policy"):
        source.read()


# --- renewing ---


def test_the_renew_function_gets_version_and_account(source, functions):
    assert source.renew(V1).outcome == "rotated"
    assert functions.events == [{"account": "default", "rejected_version_id": V1}]
    assert functions.names == ["renew"]


@pytest.mark.parametrize(
    ("name", "account"),
    [("a/b/eu-2/token", "eu-2"), ("sales/token", "sales"), ("mine", None), ("x/other", None), ("token", None)],
)
def test_the_account_is_that_of_the_secrets_name(aws, functions, name, account):
    arn = aws.create_secret(Name=name, SecretString=json.dumps(DOCUMENT))["ARN"]
    source = SecretsManagerSource(arn, "renew", session=Session(secretsmanager=aws, **{"lambda": functions}))
    source.read()
    source.renew(V1)
    assert functions.events[0].get("account") == account


@pytest.mark.usefixtures("secret")
def test_the_environment_names_the_secret_and_the_renew_function(aws, functions, monkeypatch):
    monkeypatch.delenv("TALEND_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("TALEND_TOKEN_SECRET", NAME)
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew-of-the-stack")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", Session(secretsmanager=aws, **{"lambda": functions}))
    source = source_from_environment()
    assert source.read().token.version_id == V1
    source.renew(V1)
    assert functions.names == ["renew-of-the-stack"]


def test_an_answer_is_returned_with_its_waiting_time(source, functions):
    functions.answer = {"outcome": "too_soon", "retry_after_seconds": 37}
    renewal = source.renew(V1)
    assert (renewal.outcome, renewal.retry_after_seconds) == ("too_soon", 37)


@pytest.mark.parametrize("waiting_time", [{}, {"retry_after_seconds": None}, {"retry_after_seconds": 0}])
def test_an_answer_without_a_waiting_time_means_none(source, functions, waiting_time):
    functions.answer = {"outcome": "rotated"} | waiting_time
    assert source.renew(V1).retry_after_seconds == 0


def code(name):
    return ClientError({"Error": {"Code": name}}, "Invoke")


@pytest.mark.parametrize(
    ("error", "outcome", "retry_after", "may_show"),
    [
        (code("AccessDeniedException"), "denied", 60, False),
        (code("ResourceNotFoundException"), "denied", 60, False),
        (code("TooManyRequestsException"), "throttled", 5, True),
        (code("ServiceException"), "failed", 5, True),
        (ReadTimeoutError(endpoint_url="https://x"), "failed", 5, True),
    ],
)
def test_a_failed_invocation_is_reported_by_its_kind(source, functions, error, outcome, retry_after, may_show):
    functions.error = error
    with pytest.raises(RenewalFailed, match=f"version {V1} was rejected, and function 'renew' could not be") as caught:
        source.renew(V1)
    assert (caught.value.outcome, caught.value.retry_after_seconds) == (outcome, retry_after)
    assert caught.value.may_show is may_show


def test_a_missing_right_is_reported_with_its_policy(source, functions):
    functions.error = code("AccessDeniedException")
    with pytest.raises(RenewalFailed, match="attach the managed policy of the stack's output ConsumerPolicyArn"):
        source.renew(V1)


def test_a_failed_function_is_reported_with_its_message(source, functions):
    functions.function_error = "Unhandled"
    functions.answer = {"errorType": "LockUnavailable", "errorMessage": "the lock table cannot be asked"}
    with pytest.raises(RenewalFailed, match="'renew' failed to replace it: the lock table cannot be asked") as caught:
        source.renew(V1)
    assert (caught.value.outcome, caught.value.may_show) == ("failed", True)


@pytest.mark.parametrize(
    "answer", [None, [], "text", {"message": "ok"}, {"outcome": "rotated", "retry_after_seconds": "x"}]
)
def test_an_answer_of_another_function_is_reported(source, functions, answer):
    functions.answer = answer
    with pytest.raises(RenewalFailed, match="its answer is not a renew function's: check TALEND_RENEW_FUNCTION"):
        source.renew(V1)


@pytest.mark.usefixtures("secret")
def test_without_a_renew_function_a_rejection_stands():
    source = SecretsManagerSource(NAME)
    with pytest.raises(RenewalFailed, match="Set TALEND_RENEW_FUNCTION") as caught:
        source.renew(V1)
    assert (caught.value.outcome, caught.value.retry_after_seconds) == ("not_configured", 60)


def test_the_function_may_be_another_regions(source):
    arn = "arn:aws:lambda:us-east-1:123456789012:function:renew"
    other = SecretsManagerSource(NAME, arn, session=source._session)
    other.renew(V1)
    assert source._session.made[-1][1]["region_name"] == "us-east-1"


def test_before_the_first_read_the_account_is_that_of_the_arn(functions):
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:talend-token/sales/token-a1b2c3"
    SecretsManagerSource(arn, "renew", session=Session(**{"lambda": functions})).renew(V1)
    assert functions.events[0]["account"] == "sales"


def test_a_forked_process_makes_clients_of_its_own(source, monkeypatch):
    made = len(source._session.made)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    source.read()
    source.read()
    assert len(source._session.made) == made + 1


@pytest.mark.usefixtures("secret")
def test_a_renewal_reads_invokes_and_reads(aws, functions):
    source = SecretsManagerSource(NAME, "renew", session=Session(secretsmanager=aws, **{"lambda": functions}))
    client = TokenClient(source, clock=lambda: 1795473000.0, monotonic=lambda: 0.0, sleep=lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        # moto's answers are dated by the machine's clock.
        patch.setattr("talend_token.secrets_manager._date", lambda _: None)
        rejected = client.get_token()
        document = DOCUMENT | {"access_token": "next", "issued_at": 1795473000, "expires_at": 1795474800}
        publish = lambda: aws.put_secret_value(SecretId=NAME, SecretString=json.dumps(document))  # noqa: E731
        functions.invoke = lambda **_: (publish(), {"Payload": io.BytesIO(b'{"outcome": "rotated"}')})[1]
        assert client.renew(rejected).access_token == "next"
