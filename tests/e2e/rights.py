"""The rights of a role of a stack, one by one."""

import json
from contextlib import contextmanager


class Rights:
    """Each action on each resource that the policies of a role allow, as a statement of its own."""

    def __init__(self, aws, role):
        self._iam, self._name = aws.client("iam"), {"RoleName": role}
        self.all = [
            statement | {"Action": action, "Resource": resource}
            for document in list(self._take_policies())
            for statement in document["Statement"]
            for action in _listed(statement["Action"])
            for resource in _listed(statement["Resource"])
        ]
        self._allow(self.all)

    @contextmanager
    def without(self, right):
        """Take one right from the role while the block runs."""
        self._allow([other for other in self.all if other is not right])
        try:
            yield
        finally:
            self._allow(self.all)

    @property
    def document(self):
        """Return the policy that allows them all."""
        return json.dumps({"Version": "2012-10-17", "Statement": self.all})

    def _allow(self, statements):
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._iam.put_role_policy(**self._name, PolicyName="rights", PolicyDocument=document)

    def _take_policies(self):
        """Remove all policies from the role, because one policy takes their place, and yield each document."""
        for policy in self._iam.list_role_policies(**self._name)["PolicyNames"]:
            yield self._iam.get_role_policy(**self._name, PolicyName=policy)["PolicyDocument"]
            self._iam.delete_role_policy(**self._name, PolicyName=policy)
        for policy in self._iam.list_attached_role_policies(**self._name)["AttachedPolicies"]:
            arn = {"PolicyArn": policy["PolicyArn"]}
            version = self._iam.get_policy(**arn)["Policy"]["DefaultVersionId"]
            yield self._iam.get_policy_version(**arn, VersionId=version)["PolicyVersion"]["Document"]
            self._iam.detach_role_policy(**self._name, **arn)


def _listed(value):
    return value if isinstance(value, list) else [value]
