"""Roles for tests: one that a service assumes, and one of another AWS account."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3

from local_aws import LocalAWS

ANOTHER = "210987654321"

Statements = Sequence[Mapping[str, Any]]


def create_role(aws: LocalAWS, service: str, statements: Statements, name: str) -> str:
    """Create a role that a service may assume, with these statements, and return its ARN."""
    return _create(aws.client("iam"), name, {"Service": service}, statements)


def session_in_another_account(aws: LocalAWS, *actions: str) -> Any:
    """Return a session of a role of another account that may do these things to everything."""
    # ministack takes a key of twelve digits for the root user of that account.
    root = boto3.Session(ANOTHER, "test", region_name=aws.region)
    iam, sts = (root.client(service, endpoint_url=aws.endpoint_url) for service in ("iam", "sts"))
    role = _create(iam, "other", {"AWS": ANOTHER}, [{"Effect": "Allow", "Action": actions, "Resource": "*"}])
    keys = sts.assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=aws.region)


def _create(iam: Any, name: str, principal: Mapping[str, str], statements: Statements) -> str:
    trust = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=_policy(statements))
    return str(role["Arn"])


def _policy(statements: Statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
