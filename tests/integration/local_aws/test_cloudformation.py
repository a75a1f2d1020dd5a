"""Stacks of the local AWS retain and delete what their templates say, nested ones too."""

import json
import uuid

import pytest
from botocore.exceptions import WaiterError

pytest_plugins = ["local_aws.fixtures"]


class Stack:
    """A CloudFormation stack."""

    def __init__(self, aws):
        self._client = aws.client("cloudformation")
        self.name = f"stack-{uuid.uuid4().hex[:8]}"

    def deploy(self, resources, **outputs):
        """Create or update it by a change set, as `sam deploy` does, and return its outputs."""
        template = {
            "Transform": "AWS::Serverless-2016-10-31",
            "Resources": resources,
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        exists = any(known["StackName"] == self.name for known in self._client.describe_stacks()["Stacks"])
        kind = "update" if exists else "create"
        change = self._client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"change-{uuid.uuid4().hex[:8]}",
            ChangeSetType=kind.upper(),
            TemplateBody=json.dumps(template),
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )["Id"]
        self._wait("change_set_create_complete", ChangeSetName=change)
        self._client.execute_change_set(ChangeSetName=change)
        self._wait(f"stack_{kind}_complete", StackName=self.name)
        (stack,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def status(self):
        return self._client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"]

    def delete(self):
        """Delete it if it exists."""
        self._client.delete_stack(StackName=self.name)
        self._wait("stack_delete_complete", StackName=self.name)

    def _wait(self, state, **what):
        self._client.get_waiter(state).wait(**what, WaiterConfig={"Delay": 0.05})


@pytest.fixture
def stack(local_aws):
    """A stack that is deleted in the end."""
    stack = Stack(local_aws)
    yield stack
    stack.delete()


@pytest.fixture
def secrets(local_aws):
    return local_aws.client("secretsmanager")


def nested(aws, template, **parameters):
    """Return a nested stack whose template is in a bucket, by the address that `sam deploy` finds for it."""
    s3, bucket, key = aws.client("s3"), f"templates-{uuid.uuid4().hex}", f"{uuid.uuid4().hex}.template"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template))
    url = f"{aws.endpoint_url}/{bucket}/{key}"
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": parameters}}


def secret(name, **properties):
    return {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, **properties}}


@pytest.fixture
def name():
    """A prefix that no other test uses."""
    return f"own/{uuid.uuid4().hex}"


def names_of_secrets(secrets):
    return {found["Name"] for page in secrets.get_paginator("list_secrets").paginate() for found in page["SecretList"]}


def test_a_failed_creation_leaves_only_what_is_retained_always(local_aws, secrets, stack, name):
    """User guide, "DeletionPolicy attribute": RetainExceptOnCreate retains "except for the stack operation that
    initially creates the resource"."""
    kept, tried, plain, taken = (f"{name}/{which}" for which in ("kept", "tried", "plain", "taken"))
    secrets.create_secret(Name=taken, SecretString="precious")
    resources = {
        "Kept": secret(kept) | {"DeletionPolicy": "Retain"},
        "Tried": secret(tried) | {"DeletionPolicy": "RetainExceptOnCreate"},
        "Plain": secret(plain),
    }
    with pytest.raises(WaiterError):
        stack.deploy(
            {"Inner": nested(local_aws, {"Resources": resources}), "Taken": secret(taken) | {"DependsOn": ["Inner"]}}
        )
    assert stack.status() == "ROLLBACK_COMPLETE"
    assert names_of_secrets(secrets) & {kept, tried, plain, taken} == {kept, taken}
    assert secrets.get_secret_value(SecretId=taken)["SecretString"] == "precious"


def test_a_nested_stack_has_parameters_outputs_and_its_parents_end(local_aws, secrets, stack, name):
    """Except for what its own template retains."""
    kept = {policy: f"{name}/{policy}" for policy in ("Retain", "RetainExceptOnCreate")}
    template = {
        "Parameters": {"Name": {"Type": "String"}, "Description": {"Type": "String", "Default": "-"}},
        "Resources": {
            "Gone": secret({"Ref": "Name"}, Description={"Ref": "Description"}),
            **{policy: secret(kept[policy]) | {"DeletionPolicy": policy} for policy in kept},
        },
        "Outputs": {
            "Arn": {"Value": {"Fn::GetAtt": ["Gone", "Id"]}},
            "Unchanged": {"Value": {"Fn::GetAtt": ["Retain", "Id"]}},
        },
    }
    wanted = {output: {"Fn::GetAtt": ["Nested", f"Outputs.{output}"]} for output in ("Arn", "Unchanged")}
    outputs = stack.deploy({"Nested": nested(local_aws, template, Name=name)}, **wanted)
    assert outputs["Arn"] == secrets.describe_secret(SecretId=name)["ARN"]
    assert outputs["Unchanged"] == secrets.describe_secret(SecretId=kept["Retain"])["ARN"]
    assert stack.deploy({"Nested": nested(local_aws, template, Name=name, Description="new")}, **wanted) == outputs
    assert secrets.describe_secret(SecretId=name)["Description"] == "new"
    stack.delete()
    assert {found for found in names_of_secrets(secrets) if found.startswith(name)} == set(kept.values())
