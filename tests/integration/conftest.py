"""The functions' environment in process, with moto for AWS and the Talend simulator over HTTP."""

import io
import json

import boto3
import pytest
from moto import mock_aws

import renew
import rotate
from rotator import bootstrap
from talend_simulator import Account, TalendSimulator
from talend_token.document import Sensitive, TokenDocument

CREDENTIALS, TOKEN = "talend-token/default/credentials", "talend-token/default/token"


class Context:
    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self):
        return 60_000


def invoke(event, function=rotate):
    return function.handler(event, Context())


@pytest.fixture
def talend():
    with TalendSimulator([Account("abc", "s3cret-of-abc")]) as simulator:
        yield simulator


@pytest.fixture
def secrets(talend, monkeypatch):
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "STACK_NAME": "talend-token",
        "SECRET_PREFIX": "talend-token",
        "TALEND_API_URL": talend.url,
        "CREDENTIALS_SECRET": "",
        "SCHEDULE_EXPRESSION": "rate(25 minutes)",
        "LOCK_TABLE": "locks",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("dynamodb").create_table(
            TableName="locks",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        client = boto3.client("secretsmanager")
        client.create_secret(Name=CREDENTIALS, SecretString="abc:s3cret-of-abc")
        client.create_secret(Name=TOKEN)
        bootstrap.rotator.cache_clear()
        yield client
        bootstrap.rotator.cache_clear()


@pytest.fixture
def published(secrets):
    def document():
        # Without a label, moto may return another version than the current one.
        text = secrets.get_secret_value(SecretId=TOKEN, VersionStage="AWSCURRENT")["SecretString"]
        return TokenDocument.from_json(Sensitive(text))

    return document


@pytest.fixture
def aged(secrets, published):
    """Return the version of a published token that is ten minutes old."""
    version_id = "a" * 8 + invoke({})["version_id"][8:]
    document = json.loads(published().to_json().reveal())
    document |= {name: document[name] - 600 for name in ("issued_at", "expires_at")}
    secrets.put_secret_value(SecretId=TOKEN, SecretString=json.dumps(document), ClientRequestToken=version_id)
    return version_id


@pytest.fixture
def log(monkeypatch):
    log = io.StringIO()
    for function in (rotate, renew):
        monkeypatch.setattr(function.logger.registered_handler, "stream", log)
    return log
