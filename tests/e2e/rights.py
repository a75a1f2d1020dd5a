"""The rights of a deployed stack, one by one: each action on each resource that a statement of its roles allows."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

from local_aws import LocalAWS

Document = dict[str, Any]


@dataclass(frozen=True)
class Grant:
    """One action on one resource. `policy` is the name of an inline policy or the ARN of a managed one."""

    policy: str
    sid: str
    action: str
    resource: str
    label: str
    """The resource as it differs from the others of its statement; empty if there is only one."""

    def __str__(self) -> str:
        return f"{self.sid} {self.action}" + (f" on {self.label}" if self.label else "")


class Holder:
    """A role of the stack, or a new one with a managed policy that none of them has."""

    def __init__(self, aws: LocalAWS, role: str) -> None:
        self.role = role
        self._aws = aws
        self._iam = aws.client("iam")
        self._name = {"RoleName": role}

    def grants(self) -> list[Grant]:
        """Each action on each resource that its policies allow."""
        return [
            Grant(policy, statement["Sid"], action, resource, self._label(resource, _list(statement["Resource"])))
            for policy, document in self._policies().items()
            for statement in document["Statement"]
            for action in _list(statement["Action"])
            for resource in _list(statement["Resource"])
        ]

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """Take one right from the role."""
        document, managed = self._policies()[grant.policy], grant.policy.startswith("arn:")
        left = [
            {name: value for name, value in statement.items() if name != "Sid"}
            | {"Action": action, "Resource": resource}
            for statement in document["Statement"]
            for action in _list(statement["Action"])
            for resource in _list(statement["Resource"])
            if (statement["Sid"], action, resource) != (grant.sid, grant.action, grant.resource)
        ]
        # A managed policy is shared, so this role gets what is left of it in its place.
        inline = self._name | {"PolicyName": "left" if managed else grant.policy}
        self._iam.put_role_policy(**inline, PolicyDocument=json.dumps(document | {"Statement": left}))
        if managed:
            self._iam.detach_role_policy(**self._name, PolicyArn=grant.policy)
        try:
            yield
        finally:
            if managed:
                self._iam.attach_role_policy(**self._name, PolicyArn=grant.policy)
                self._iam.delete_role_policy(**inline)
            else:
                self._iam.put_role_policy(**inline, PolicyDocument=json.dumps(document))

    def session(self) -> boto3.Session:
        """Return a session of the role, which trusts its service: for a moment it trusts the test too."""
        described = self._iam.get_role(**self._name)["Role"]
        trust = described["AssumeRolePolicyDocument"]
        ours = {"Effect": "Allow", "Principal": {"AWS": self._aws.account_id}, "Action": "sts:AssumeRole"}
        lent = trust | {"Statement": [*trust["Statement"], ours]}
        self._iam.update_assume_role_policy(**self._name, PolicyDocument=json.dumps(lent))
        keys = self._aws.client("sts").assume_role(RoleArn=described["Arn"], RoleSessionName="lent")["Credentials"]
        self._iam.update_assume_role_policy(**self._name, PolicyDocument=json.dumps(trust))
        return boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self._aws.region
        )

    def _policies(self) -> dict[str, Document]:
        found = {
            policy: self._iam.get_role_policy(**self._name, PolicyName=policy)["PolicyDocument"]
            for policy in self._iam.list_role_policies(**self._name)["PolicyNames"]
        }
        for policy in self._iam.list_attached_role_policies(**self._name)["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            found[arn] = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        return found

    def _label(self, arn: str, resources: list[str]) -> str:
        """Return the name of a resource without random characters, after its Region if that is another one."""
        if len(resources) == 1:
            return ""
        region, name = arn.split(":")[3], arn.split(":", 6)[-1]
        return ("" if region == self._aws.region else f"{region} ") + re.sub(r"-[0-9A-Za-z?]{6}$", "", name)


def holders(aws: LocalAWS, granted: dict[str, tuple[str, str]]) -> dict[str, Holder]:
    """Every role, and a new role for every managed policy that none of them has.

    `granted` are resources of a stack by logical id, each with its type and its physical id.
    """
    iam = aws.client("iam")
    found = {name: Holder(aws, role) for name, (kind, role) in granted.items() if kind == "AWS::IAM::Role"}
    attached = {grant.policy for holder in found.values() for grant in holder.grants()}
    for name, (kind, arn) in granted.items():
        if kind == "AWS::IAM::ManagedPolicy" and arn not in attached:
            role = f"holder-of-{name}"
            iam.create_role(RoleName=role, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
            found[name] = Holder(aws, role)
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
