"""AWS in process, for the adapters' tests."""

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws


@pytest.fixture(scope="session")
def sdk():
    """One session of the SDK for all tests, because its first client takes ten times as long as the next."""
    return boto3.session.Session("testing", "testing", region_name="eu-west-1")


@pytest.fixture
def aws(monkeypatch):
    """moto, with made-up credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield


@pytest.fixture
def lock_table(aws, sdk):  # noqa: ARG001 (the table is made in it)
    """The name of a table like the template's."""
    sdk.client("dynamodb").create_table(
        TableName="locks",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return "locks"


def unreachable(sdk, service):
    """Return a client whose every call fails at once, because no server listens at its address."""
    config = Config(retries={"total_max_attempts": 1})
    return sdk.client(service, endpoint_url="http://127.0.0.1:1", config=config)
