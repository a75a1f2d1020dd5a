"""Stacks of the local AWS do what their templates say."""

import json
import uuid

import pytest
from botocore.exceptions import WaiterError

from local_aws.inline_function import invoke

pytest_plugins = ["local_aws.fixtures"]

HANDLER = "import os\ndef handler(event, context): return os.environ.get('SETTING')"


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


@pytest.fixture
def name():
    """A name that no other test uses."""
    return f"own/{uuid.uuid4().hex}"


def nested(aws, template, **parameters):
    """Return a nested stack whose template is in a bucket, by the address that `sam deploy` finds for it."""
    s3, bucket, key = aws.client("s3"), f"templates-{uuid.uuid4().hex}", f"{uuid.uuid4().hex}.template"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template))
    return resource("CloudFormation::Stack", TemplateURL=f"{aws.endpoint_url}/{bucket}/{key}", Parameters=parameters)


def resource(kind, **properties):
    return {"Type": f"AWS::{kind}", "Properties": properties}


def secret(name, **properties):
    return resource("SecretsManager::Secret", Name=name, **properties)


def function(**properties):
    defaults = {"InlineCode": HANDLER, "Handler": "index.handler", "Runtime": "python3.13", "Timeout": 30}
    return resource("Serverless::Function", **defaults | properties)


def names_of_secrets(secrets):
    return {found["Name"] for page in secrets.get_paginator("list_secrets").paginate() for found in page["SecretList"]}


def test_a_reference_to_a_secret_is_its_arn_and_it_is_empty(secrets, stack, name):
    """CloudFormation reference, AWS::SecretsManager::Secret: without a value, "the secret is empty"."""
    outputs = stack.deploy({"Secret": secret(name)}, Ref={"Ref": "Secret"}, Id={"Fn::GetAtt": ["Secret", "Id"]})
    described = secrets.describe_secret(SecretId=name)
    assert outputs == {"Ref": described["ARN"], "Id": described["ARN"]}
    assert "VersionIdsToStages" not in described


def test_an_update_keeps_the_secrets_value_and_drops_its_key(local_aws, secrets, stack, name):
    """API, UpdateSecret.KmsKeyId: set to an empty string, it is the AWS managed key."""
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = stack.deploy({"Secret": secret(name, KmsKeyId=key)}, Ref={"Ref": "Secret"})["Ref"]
    assert secrets.describe_secret(SecretId=name)["KmsKeyId"] == key
    secrets.put_secret_value(SecretId=arn, SecretString="value")
    assert stack.deploy({"Secret": secret(name, Description="new")}, Ref={"Ref": "Secret"}) == {"Ref": arn}
    described = secrets.describe_secret(SecretId=name)
    assert described["Description"] == "new"
    assert "KmsKeyId" not in described
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "value"


def test_a_stack_is_deleted_with_its_secrets_except_retained_ones(secrets, stack, name):
    stack.deploy({"Gone": secret(f"{name}/gone"), "Kept": secret(name) | {"DeletionPolicy": "Retain"}})
    stack.delete()
    assert {found for found in names_of_secrets(secrets) if found.startswith(name)} == {name}


@pytest.mark.parametrize("failing", ["nested", "parent"])
def test_a_failed_creation_leaves_only_what_is_retained_always(local_aws, secrets, stack, name, failing):
    """User guide, "DeletionPolicy attribute": RetainExceptOnCreate retains "except for the stack operation that
    initially creates the resource"."""
    kept, tried, plain, taken = (f"{name}/{which}" for which in ("kept", "tried", "plain", "taken"))
    secrets.create_secret(Name=taken, SecretString="precious")
    resources = {
        "Kept": secret(kept) | {"DeletionPolicy": "Retain"},
        "Tried": secret(tried) | {"DeletionPolicy": "RetainExceptOnCreate"},
        "Plain": secret(plain),
    }
    last = {"Taken": secret(taken) | {"DependsOn": list(resources)}}
    template = {"Resources": resources | (last if failing == "nested" else {})}
    parent = {"Taken": secret(taken) | {"DependsOn": ["Inner"]}} if failing == "parent" else {}
    with pytest.raises(WaiterError):
        stack.deploy({"Inner": nested(local_aws, template), **parent})
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


def test_the_address_of_a_nested_template_is_shown_as_aws_would(local_aws, stack):
    """SAM CLI, parse_s3_url: `sam delete` reads bucket and key from an address that begins with https://s3."""
    inner = nested(local_aws, {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    stack.deploy({"Nested": inner})
    path = inner["Properties"]["TemplateURL"].removeprefix(local_aws.endpoint_url)
    template = local_aws.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    shown = template["Resources"]["Nested"]["Properties"]["TemplateURL"]
    assert shown == f"https://s3.{local_aws.region}.amazonaws.com{path}"


def test_the_transforms_of_a_nested_template_are_applied(local_aws, stack):
    """AWS::LanguageExtensions over a parameter, and a function of SAM."""
    names = [f"queue-{uuid.uuid4().hex}" for _ in range(2)]
    template = {
        "Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
        "Parameters": {"Names": {"Type": "CommaDelimitedList"}},
        "Resources": {
            "Fn::ForEach::Queues": [
                "Name",
                {"Ref": "Names"},
                {"Queue&{Name}": resource("SQS::Queue", QueueName={"Ref": "Name"})},
            ],
            "Function": function(),
        },
        "Outputs": {"Function": {"Value": {"Ref": "Function"}}},
    }
    resources = {"Nested": nested(local_aws, template, Names=",".join(names))}
    outputs = stack.deploy(resources, Function={"Fn::GetAtt": ["Nested", "Outputs.Function"]})
    for name in names:
        assert local_aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"].endswith(name)
    assert "FunctionError" not in invoke(local_aws, outputs["Function"])


def test_a_secret_has_the_resource_policy_of_the_template(secrets, stack, name):
    def deploy(*actions):
        """Deploy a policy with these actions and return its reference and the actions of the secret's policy."""
        principal = {"AWS": "arn:aws:iam::111122223333:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*"}
        policy = {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": {"Statement": [statement]}}
        resources = {"Policy": resource("SecretsManager::ResourcePolicy", **policy)} if actions else {}
        outputs = stack.deploy({"Secret": secret(name), **resources}, **{name: {"Ref": name} for name in resources})
        found = secrets.get_resource_policy(SecretId=name).get("ResourcePolicy")
        return outputs.get("Policy"), found and json.loads(found)["Statement"][0]["Action"]

    read, describe = "secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"
    first = deploy(read)
    assert first == (secrets.describe_secret(SecretId=name)["ARN"], [read])
    assert deploy(describe)[1] == [describe]
    assert deploy() == (None, None)


def test_a_bus_keeps_the_statements_of_others(local_aws, stack):
    client, other = local_aws.client("events"), f"other-{uuid.uuid4().hex}"
    client.put_permission(StatementId=other, Principal="111122223333", Action="events:PutEvents")

    def statements(sid):
        policy = json.loads(client.describe_event_bus(Name="default")["Policy"])
        return [statement for statement in policy["Statement"] if statement["Sid"] == sid]

    identifier = uuid.uuid4().hex
    for source in ("old", "new"):
        condition = {"StringEquals": {"events:source": source}}
        principal = {"AWS": ["444455556666", "777788889999"]}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "events:PutEvents", "Condition": condition}
        stack.deploy({"Policy": resource("Events::EventBusPolicy", StatementId=identifier, Statement=statement)})
        assert statements(identifier) == [{"Sid": identifier} | statement]
    stack.delete()
    assert statements(identifier) == []
    assert len(statements(other)) == 1
    client.remove_permission(StatementId=other)


def test_a_saved_query_follows_the_template(local_aws, stack, name):
    logs = local_aws.client("logs")

    def saved():
        found = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
        return [(query["queryDefinitionId"], query["queryString"]) for query in found]

    ids = set()
    for text in ("fields @message", "fields account"):
        query = resource("Logs::QueryDefinition", Name=name, QueryString=text, LogGroupNames=["/aws/lambda/x"])
        ids.add(stack.deploy({"Query": query}, Id={"Ref": "Query"})["Id"])
        assert saved() == [(*ids, text)]
    stack.delete()
    assert saved() == []


def test_an_update_replaces_a_functions_workers_a_deletion_ends_them(local_aws, stack):
    answers = []
    for setting in ("old", "new"):
        environment = {"Variables": {"SETTING": setting}}
        name = stack.deploy({"Function": function(Environment=environment)}, Name={"Ref": "Function"})["Name"]
        answers.append(invoke(local_aws, name)["Payload"])
    assert answers == ["old", "new"]
    stack.delete()
    assert name not in [worker["function"] for worker in local_aws.workers()]
