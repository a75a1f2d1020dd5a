"""Somebody with exactly the rights of some policies, on a local AWS with IAM enforced."""

from __future__ import annotations

import json
from typing import Any

import boto3

from local_aws import LocalAWS


def client_with(aws: LocalAWS, service: str, role_name: str, *, policy_arn: str = "", policy: str = "") -> Any:
    """A client of `service` for a new role with a managed policy (its ARN), or an inline one (its document)."""
    iam = aws.client("iam")
    statement = {"Effect": "Allow", "Principal": {"AWS": aws.account_id}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=trust)["Role"]
    if policy_arn:
        iam.attach_role_policy(RoleName=role_name, PolicyArn=policy_arn)
    if policy:
        iam.put_role_policy(RoleName=role_name, PolicyName="only", PolicyDocument=policy)
    assumed = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=role_name)["Credentials"]
    return boto3.client(
        service,
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
