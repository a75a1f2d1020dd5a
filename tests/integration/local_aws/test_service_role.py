"""CloudFormation acts with the rights of the stack's service role, or else of its caller."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError, WaiterError

from demo.roles import Role
from local_aws.inline_function import create_role

pytest_plugins = ["local_aws.fixtures"]

QUEUE = {"Type": "AWS::SQS::Queue"}


def allow(*actions, resource="*"):
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


class Operator:
    """Someone with some rights, and the stack that they work on."""

    def __init__(self, aws, *statements):
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow("cloudformation:*"), *statements]})
        self._client = Role(aws, f"operator-{uuid.uuid4().hex[:8]}", policy=policy).client("cloudformation")
        self._stack = {"StackName": f"stack-{uuid.uuid4().hex[:8]}"}

    def run(self, operation, template=None, **options):
        """Run a stack operation and return the reasons of all that failed."""
        body = {"TemplateBody": json.dumps({"Resources": template})} if template else {}
        getattr(self._client, f"{operation}_stack")(**self._stack, **body, **options)
        waiter = self._client.get_waiter(f"stack_{operation}_complete")
        try:
            waiter.wait(**self._stack, WaiterConfig={"Delay": 0.05})
        except WaiterError:
            events = self._client.describe_stack_events(**self._stack)["StackEvents"]
            return [event["ResourceStatusReason"] for event in events if event["ResourceStatus"].endswith("FAILED")]
        return []


@pytest.fixture
def service_role(local_aws):
    return create_role(local_aws, "cloudformation.amazonaws.com", [allow("sqs:*")])


def test_a_stack_remembers_its_service_role(local_aws, service_role):
    operator = Operator(local_aws, allow("iam:PassRole", resource=service_role))
    assert operator.run("create", {"Queue": QUEUE}, RoleARN=service_role) == []
    (reason,) = operator.run("update", {"Queue": QUEUE, "Topic": {"Type": "AWS::SNS::Topic"}})
    name = service_role.rsplit("/", 1)[1]
    assert f"assumed-role/{name}/AWSCloudFormation is not authorized to perform: sns:CreateTopic on resource" in reason
    assert operator.run("delete") == []


def test_without_a_service_role_the_callers_rights_count(local_aws):
    assert Operator(local_aws, allow("sqs:*")).run("create", {"Queue": QUEUE}) == []
    (reason,) = Operator(local_aws).run("create", {"Queue": QUEUE})
    assert "sqs:CreateQueue" in reason


def test_a_service_role_must_be_passed_and_assumed(local_aws, service_role):
    with pytest.raises(ClientError, match=f"iam:PassRole on resource: {service_role}"):
        Operator(local_aws).run("create", {"Queue": QUEUE}, RoleARN=service_role)
    of_a_function = create_role(local_aws, "lambda.amazonaws.com", [allow("sqs:*")])
    with pytest.raises(ClientError, match="cannot be assumed"):
        Operator(local_aws, allow("iam:PassRole")).run("create", {"Queue": QUEUE}, RoleARN=of_a_function)
