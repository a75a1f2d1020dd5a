"""A function may do what the policies of its role allow. Callers of another account need both accounts' policies."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from local_aws.another_account import ANOTHER, session_in_another_account
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


@pytest.fixture
def theirs(fresh_local_aws):
    return session_in_another_account(fresh_local_aws, "lambda:InvokeFunction", "secretsmanager:GetSecretValue")


def test_a_function_is_invoked_from_another_account_by_permission(fresh_local_aws, theirs):
    aws = fresh_local_aws
    name = create_function(aws, "def handler(event, context): return 'done'")

    def call(session):
        arn = f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:{name}"
        return json.load(session.client("lambda", endpoint_url=aws.endpoint_url).invoke(FunctionName=arn)["Payload"])

    with pytest.raises(ClientError, match="AccessDenied"):
        call(theirs)
    permission = {"StatementId": "other", "Action": "lambda:InvokeFunction", "Principal": ANOTHER}
    aws.client("lambda").add_permission(FunctionName=name, **permission)
    assert call(theirs) == "done"
    with pytest.raises(ClientError, match="AccessDenied"):
        call(session_in_another_account(aws))


def test_a_secret_is_read_from_another_account_by_its_policy(fresh_local_aws, theirs):
    aws = fresh_local_aws
    ours, secret = aws.client("secretsmanager"), theirs.client("secretsmanager", endpoint_url=aws.endpoint_url)
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = ours.create_secret(Name="some/secret", SecretString="value", KmsKeyId=key)["ARN"]
    with pytest.raises(ClientError, match="AccessDenied"):
        secret.get_secret_value(SecretId=arn)
    allowed = statement("secretsmanager:GetSecretValue") | {"Principal": {"AWS": ANOTHER}}
    ours.put_resource_policy(SecretId=arn, ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}))
    # The role has no right to the key, nor does the key's policy name its account.
    with pytest.raises(ClientError, match="KMS"):
        secret.get_secret_value(SecretId=arn)
