"""CloudFormation acts with the rights of the stack's service role, or else of its caller."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError, WaiterError

from demo.roles import Role
from local_aws.inline_function import create_role

pytest_plugins = ["local_aws.fixtures"]

QUEUE = {"Queue": {"Type": "AWS::SQS::Queue"}}


def allow(*actions):
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*"}


@pytest.fixture
def stack(local_aws):
    """Run an operation on a new stack as a role with some rights, and return the reasons of all that failed."""
    name = {"StackName": f"stack-{uuid.uuid4().hex[:8]}"}

    def run(rights, operation, resources=None, **options):
        policy = {"Version": "2012-10-17", "Statement": [allow("cloudformation:*", *rights)]}
        operator = Role(local_aws, f"operator-{uuid.uuid4().hex[:8]}", policy=json.dumps(policy))
        client = operator.client("cloudformation")
        body = {"TemplateBody": json.dumps({"Resources": resources})} if resources else {}
        getattr(client, f"{operation}_stack")(**name, **body, **options)
        try:
            client.get_waiter(f"stack_{operation}_complete").wait(**name, WaiterConfig={"Delay": 0.05})
        except WaiterError:
            events = client.describe_stack_events(**name)["StackEvents"]
            return [event["ResourceStatusReason"] for event in events if event["ResourceStatus"].endswith("FAILED")]
        return []

    return run


def test_a_stack_remembers_its_service_role(local_aws, stack):
    role = create_role(local_aws, "cloudformation.amazonaws.com", [allow("sqs:*")])
    assert stack(["iam:PassRole"], "create", QUEUE, RoleARN=role) == []
    (reason,) = stack(["sns:*"], "update", QUEUE | {"Topic": {"Type": "AWS::SNS::Topic"}})
    assert f"{role.rsplit('/', 1)[1]}/AWSCloudFormation is not authorized to perform: sns:CreateTopic on" in reason
    assert stack([], "delete") == []


def test_without_a_service_role_the_callers_rights_count(stack):
    (reason,) = stack([], "create", QUEUE)
    assert "sqs:CreateQueue" in reason


@pytest.mark.parametrize(
    ("rights", "service", "refusal"),
    [([], "cloudformation", "iam:PassRole on resource"), (["iam:PassRole"], "lambda", "cannot be assumed")],
)
def test_a_service_role_must_be_passed_and_assumed(local_aws, stack, rights, service, refusal):
    role = create_role(local_aws, f"{service}.amazonaws.com", [allow("sqs:*")])
    with pytest.raises(ClientError, match=refusal):
        stack(rights, "create", QUEUE, RoleARN=role)
