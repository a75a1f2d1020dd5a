"""A function may do what the policies of its role allow, and nothing else."""

import contextlib
import uuid
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function, invoke

pytest_plugins = ["local_aws.fixtures"]


READ = """
import boto3
def handler(event, context):
    found = boto3.client("secretsmanager").get_secret_value(SecretId=event, VersionStage="AWSCURRENT")
    return found["SecretString"]
"""


def create_secret(aws: LocalAWS) -> tuple[str, str]:
    """Create the secret PREFIX/default/token with the tag owner=us: its prefix, and the start of secrets' ARNs."""
    prefix = f"own-{uuid.uuid4().hex[:8]}"
    tags = [{"Key": "owner", "Value": "us"}]
    aws.client("secretsmanager").create_secret(Name=f"{prefix}/default/token", SecretString="value", Tags=tags)
    return prefix, f"arn:aws:secretsmanager:{aws.region}:{aws.account_id}:secret:"


def statement(effect: str, resource: str, **condition: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Action": "secretsmanager:GetSecretValue",
        "Resource": resource,
        "Condition": condition,
    }


@pytest.mark.parametrize(
    ("name", "condition", "allowed"),
    [
        ("{prefix}/*/token-??????", {}, True),
        ("{prefix}/default/token-*", {}, True),
        ("{prefix}/*/credentials-??????", {}, False),
        ("{prefix}/default/token", {}, False),
        ("{prefix}/*", {"StringEquals": {"aws:ResourceTag/owner": "us"}}, True),
        ("{prefix}/*", {"StringEquals": {"aws:ResourceTag/owner": "them"}}, False),
        ("{prefix}/*", {"StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}}, True),
        ("{prefix}/*", {"StringEquals": {"secretsmanager:VersionStage": "AWSPENDING"}}, False),
    ],
)
def test_a_function_may_do_what_its_role_allows(
    local_aws: LocalAWS, name: str, condition: dict[str, Any], allowed: bool
) -> None:
    prefix, arns = create_secret(local_aws)
    granted = statement("Allow", arns + name.format(prefix=prefix), **condition)
    answer = invoke(local_aws, create_function(local_aws, READ, statements=[granted]), f"{prefix}/default/token")
    if allowed:
        assert answer["Payload"] == "value"
    else:
        assert "AccessDeniedException" in answer["Payload"]["errorMessage"]


def test_what_is_denied_is_denied_although_it_is_allowed(local_aws: LocalAWS) -> None:
    prefix, arns = create_secret(local_aws)
    statements = [statement("Allow", "*"), statement("Deny", f"{arns}{prefix}/*")]
    answer = invoke(local_aws, create_function(local_aws, READ, statements=statements), f"{prefix}/default/token")
    assert "AccessDeniedException" in answer["Payload"]["errorMessage"]


@pytest.mark.parametrize(
    ("action", "condition", "code"),
    [
        (
            "events:PutEvents",
            {"StringEquals": {"events:source": "own"}},
            'boto3.client("events").put_events(Entries=[{"Source": event, "DetailType": "x", "Detail": "{}"}])',
        ),
        (
            "dynamodb:PutItem",
            {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["own"]}},
            'boto3.client("dynamodb").put_item(TableName="some-table", Item={"id": {"S": event}})',
        ),
    ],
)
def test_the_condition_of_a_statement_holds_it_to_what_is_ours(
    local_aws: LocalAWS, action: str, condition: dict[str, Any], code: str
) -> None:
    with contextlib.suppress(local_aws.client("dynamodb").exceptions.ResourceInUseException):
        local_aws.client("dynamodb").create_table(
            TableName="some-table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
    allowed = {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}
    source = f"import boto3\ndef handler(event, context): {code}"
    name = create_function(local_aws, source, statements=[allowed])
    assert "FunctionError" not in invoke(local_aws, name, "own")
    assert "AccessDeniedException" in invoke(local_aws, name, "other")["Payload"]["errorMessage"]


def test_a_function_acts_as_its_own_role(local_aws: LocalAWS) -> None:
    source = "import boto3\ndef handler(event, context): return boto3.client('sts').get_caller_identity()['Arn']"
    name = create_function(local_aws, source)
    role = local_aws.client("lambda").get_function_configuration(FunctionName=name)["Role"].rsplit("/", 1)[1]
    expected = f"arn:aws:sts::{local_aws.account_id}:assumed-role/{role}/{name}"
    assert invoke(local_aws, name)["Payload"] == expected
