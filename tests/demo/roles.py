"""Acts with exactly the rights of some policies, on a local AWS with IAM enforced."""

from __future__ import annotations

import json
from typing import Any

import boto3

from local_aws import LocalAWS


class Role:
    """A new role with a managed policy (its ARN) or an inline one (its document), and nothing else."""

    def __init__(self, aws: LocalAWS, name: str, *, policy_arn: str = "", policy: str = "") -> None:
        self._aws = aws
        iam = aws.client("iam")
        statement = {"Effect": "Allow", "Principal": {"AWS": aws.account_id}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]
        if policy_arn:
            iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)
        if policy:
            iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=policy)
        issued = aws.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=name)["Credentials"]
        self._keys = (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])

    def environment(self) -> dict[str, str]:
        """Return the variables with which a command acts as the role."""
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return self._aws.subprocess_environment() | dict(zip(names, self._keys, strict=True))

    def session(self) -> Any:
        """Return a session with the role's rights."""
        return boto3.Session(*self._keys, region_name=self._aws.region)

    def client(self, service: str) -> Any:
        """Return a client of a service with the role's rights."""
        return self.session().client(service, endpoint_url=self._aws.endpoint_url)
