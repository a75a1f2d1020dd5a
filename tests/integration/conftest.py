"""The functions' environment in process, with moto for AWS and the Talend simulator over HTTP."""

import boto3
import pytest
from moto import mock_aws

from integration.handlers import CREDENTIALS, TOKEN
from rotator import bootstrap
from talend_simulator import Account, TalendSimulator


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
