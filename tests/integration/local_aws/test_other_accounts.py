"""Callers of another AWS account need the policies of both accounts."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAWS
from local_aws.another_account import ANOTHER, session_in_another_account
from local_aws.inline_function import create_function

pytest_plugins = ["local_aws.fixtures"]


@pytest.fixture
def theirs(fresh_local_aws: LocalAWS) -> Any:
    return session_in_another_account(fresh_local_aws, "lambda:InvokeFunction", "secretsmanager:GetSecretValue")


def test_a_function_is_invoked_from_another_account_by_permission(fresh_local_aws: LocalAWS, theirs: Any) -> None:
    aws = fresh_local_aws
    name = create_function(aws, "def handler(event, context): return 'done'")
    arn = f"arn:aws:lambda:{aws.region}:{aws.account_id}:function:{name}"
    permission = {"FunctionName": name, "StatementId": "other", "Action": "lambda:InvokeFunction", "Principal": ANOTHER}
    with_no_rights = session_in_another_account(aws)
    with pytest.raises(ClientError, match="AccessDenied"):
        theirs.client("lambda", endpoint_url=aws.endpoint_url).invoke(FunctionName=arn)
    aws.client("lambda").add_permission(**permission)
    answer = theirs.client("lambda", endpoint_url=aws.endpoint_url).invoke(FunctionName=arn)
    assert json.load(answer["Payload"]) == "done"
    with pytest.raises(ClientError, match="AccessDenied"):
        with_no_rights.client("lambda", endpoint_url=aws.endpoint_url).invoke(FunctionName=arn)


def test_a_secret_is_read_from_another_account_by_its_policy(fresh_local_aws: LocalAWS, theirs: Any) -> None:
    aws = fresh_local_aws
    ours, secret = aws.client("secretsmanager"), theirs.client("secretsmanager", endpoint_url=aws.endpoint_url)
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = ours.create_secret(Name="some/secret", SecretString="value", KmsKeyId=key)["ARN"]
    with pytest.raises(ClientError, match="AccessDenied"):
        secret.get_secret_value(SecretId=arn)
    allowed = {"Effect": "Allow", "Principal": {"AWS": ANOTHER}, "Action": "secretsmanager:GetSecretValue"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed | {"Resource": "*"}]})
    ours.put_resource_policy(SecretId=arn, ResourcePolicy=policy)
    # The role has no right to the key, nor does the key's policy name its account.
    with pytest.raises(ClientError, match="KMS"):
        secret.get_secret_value(SecretId=arn)
