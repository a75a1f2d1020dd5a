"""A function may do what the policies of its role allow, and nothing else."""

import uuid

import pytest

from local_aws.inline_function import create_function, invoke

pytest_plugins = ["local_aws.fixtures"]

READ = """
import boto3
def handler(event, context):
    return boto3.client("secretsmanager").get_secret_value(SecretId=event, VersionStage="AWSCURRENT")["SecretString"]
"""
PUT_EVENT = """
import boto3
def handler(event, context):
    boto3.client("events").put_events(Entries=[{"Source": event, "DetailType": "x", "Detail": "{}"}])
"""
PUT_ITEM = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="some-table", Item={"id": {"S": event}})
"""
OWNER, STAGE = "aws:ResourceTag/owner", "secretsmanager:VersionStage"


def statement(action, resource="*", effect="Allow", **condition):
    return {"Effect": effect, "Action": action, "Resource": resource, "Condition": condition}


@pytest.mark.parametrize(
    ("name", "condition", "denied", "is_allowed"),
    [
        ("*/token-??????", {}, "-", True),
        ("default/token-*", {}, "-", True),
        ("*/credentials-??????", {}, "-", False),
        ("default/token", {}, "-", False),
        ("*", {OWNER: "us"}, "-", True),
        ("*", {OWNER: "them"}, "-", False),
        ("*", {STAGE: "AWSCURRENT"}, "-", True),
        ("*", {STAGE: "AWSPENDING"}, "-", False),
        # What is denied is denied although it is allowed.
        ("*", {}, "*", False),
    ],
)
def test_a_function_may_read_what_its_role_allows(local_aws, name, condition, denied, is_allowed):
    prefix, tags = f"own-{uuid.uuid4().hex[:8]}", [{"Key": "owner", "Value": "us"}]
    secret = f"{prefix}/default/token"
    local_aws.client("secretsmanager").create_secret(Name=secret, SecretString="value", Tags=tags)
    arns = f"arn:aws:secretsmanager:{local_aws.region}:{local_aws.account_id}:secret:{prefix}/"
    action = "secretsmanager:GetSecretValue"
    allowed = statement(action, arns + name, **({"StringEquals": condition} if condition else {}))
    function = create_function(local_aws, READ, statements=[allowed, statement(action, arns + denied, "Deny")])
    answer = invoke(local_aws, function, secret)
    if is_allowed:
        assert answer["Payload"] == "value"
    else:
        assert "AccessDeniedException" in answer["Payload"]["errorMessage"]


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        (PUT_EVENT, statement("events:PutEvents", StringEquals={"events:source": "own"})),
        (PUT_ITEM, statement("dynamodb:PutItem", **{"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["own"]}})),
    ],
    ids=["events:source", "dynamodb:LeadingKeys"],
)
def test_the_condition_of_a_statement_limits_it(fresh_local_aws, source, allowed):
    fresh_local_aws.client("dynamodb").create_table(
        TableName="some-table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    name = create_function(fresh_local_aws, source, statements=[allowed])
    assert "FunctionError" not in invoke(fresh_local_aws, name, "own")
    assert "AccessDeniedException" in invoke(fresh_local_aws, name, "other")["Payload"]["errorMessage"]
