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

    holder: str
    policy: str
    sid: str
    action: str
    resource: str
    label: str
    """What tells it from the other resources of its statement; empty if there is only one."""

    def __str__(self) -> str:
        return f"{self.sid} {self.action}" + (f" on {self.label}" if self.label else "")


class Holder:
    """A role, by the logical id of what a template says of it. A policy that no role of the stack has is given one."""

    def __init__(self, aws: LocalAWS, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self._aws = aws
        self._iam = aws.client("iam")

    def grants(self) -> list[Grant]:
        """Each action on each resource that its policies allow."""
        return [
            Grant(self.name, policy, statement["Sid"], action, resource, label)
            for policy, document in self._policies().items()
            for statement in document["Statement"]
            for action in _list(statement["Action"])
            for resource, label in _labelled(_list(statement["Resource"]), self._aws.region)
        ]

    @contextmanager
    def without(self, grant: Grant) -> Iterator[None]:
        """The role with all its rights but one."""
        name = {"RoleName": self.role}
        document = self._policies()[grant.policy]
        left = json.dumps(document | {"Statement": _without(document["Statement"], grant)})
        if not grant.policy.startswith("arn:"):
            inline = name | {"PolicyName": grant.policy}
            self._iam.put_role_policy(**inline, PolicyDocument=left)
            try:
                yield
            finally:
                self._iam.put_role_policy(**inline, PolicyDocument=json.dumps(document))
            return
        # A managed policy is shared: this role gets what is left of it in its place.
        inline, attached = name | {"PolicyName": "left"}, name | {"PolicyArn": grant.policy}
        self._iam.put_role_policy(**inline, PolicyDocument=left)
        self._iam.detach_role_policy(**attached)
        try:
            yield
        finally:
            self._iam.attach_role_policy(**attached)
            self._iam.delete_role_policy(**inline)

    def session(self) -> boto3.Session:
        """A session with the role's own credentials, which the test lends itself: the roles trust their services."""
        described = self._iam.get_role(RoleName=self.role)["Role"]
        trust = described["AssumeRolePolicyDocument"]
        ours = {"Effect": "Allow", "Principal": {"AWS": self._aws.account_id}, "Action": "sts:AssumeRole"}
        lent = json.dumps(trust | {"Statement": [*trust["Statement"], ours]})
        self._iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=lent)
        try:
            assumed = self._aws.client("sts").assume_role(RoleArn=described["Arn"], RoleSessionName="lent")
        finally:
            self._iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=json.dumps(trust))
        keys = assumed["Credentials"]
        return boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self._aws.region
        )

    def _policies(self) -> dict[str, Document]:
        name = {"RoleName": self.role}
        found = {
            policy: self._iam.get_role_policy(**name, PolicyName=policy)["PolicyDocument"]
            for policy in self._iam.list_role_policies(**name)["PolicyNames"]
        }
        for policy in self._iam.list_attached_role_policies(**name)["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            found[arn] = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        return found


def holders(aws: LocalAWS, granted: dict[str, tuple[str, str]]) -> dict[str, Holder]:
    """Every role, and a new role for every managed policy that none of them has.

    `granted` are resources of a stack by logical id, each with its type and its physical id.
    """
    iam = aws.client("iam")
    found = {name: Holder(aws, name, role) for name, (kind, role) in granted.items() if kind == "AWS::IAM::Role"}
    attached = {grant.policy for holder in found.values() for grant in holder.grants()}
    for name, (kind, arn) in granted.items():
        if kind == "AWS::IAM::ManagedPolicy" and arn not in attached:
            role = f"holder-of-{name}"
            iam.create_role(RoleName=role, AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
            found[name] = Holder(aws, name, role)
    return found


def _without(statements: list[Document], grant: Grant) -> list[Document]:
    left = []
    for statement in statements:
        if statement["Sid"] != grant.sid:
            left.append(statement)
            continue
        actions, resources = _list(statement["Action"]), _list(statement["Resource"])
        others = [action for action in actions if action != grant.action]
        elsewhere = [resource for resource in resources if resource != grant.resource]
        if others:
            left.append(statement | {"Action": others})
        if elsewhere:
            left.append(statement | {"Sid": f"{grant.sid}Elsewhere", "Action": grant.action, "Resource": elsewhere})
    return left


def _labelled(resources: list[str], region: str) -> Iterator[tuple[str, str]]:
    """Each ARN with its own part of it: the Region if it is another one, and the name without random characters."""
    for arn in resources:
        elsewhere = "" if arn.split(":")[3] == region else f"{arn.split(':')[3]} "
        name = re.sub(r"-[0-9A-Za-z?]{6}$", "", arn.split(":", 6)[-1])
        yield arn, elsewhere + name if len(resources) > 1 else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
