"""Another AWS account, beside the one that everything else of a local AWS is in."""

import json
from typing import Any

import boto3

from local_aws import LocalAWS

ANOTHER = "210987654321"


def session_in_another_account(aws: LocalAWS, *actions: str) -> Any:
    """Return a session of a role of another account that may do these things to everything."""
    # ministack takes a key of twelve digits for the root user of that account.
    root = boto3.Session(ANOTHER, "test", region_name=aws.region)
    iam, sts = (root.client(service, endpoint_url=aws.endpoint_url) for service in ("iam", "sts"))
    trust = {"Effect": "Allow", "Principal": {"AWS": ANOTHER}, "Action": "sts:AssumeRole"}
    name = f"may-{len(actions)}"
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))["Role"]["Arn"]
    if actions:
        allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="only", PolicyDocument=json.dumps(allowed))
    keys = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    return boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=aws.region)
