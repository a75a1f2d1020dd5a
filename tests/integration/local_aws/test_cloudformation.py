"""Stacks of the local AWS do what their templates say."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from local_aws import LocalAWS
from local_aws.inline_function import invoke

pytest_plugins = ["local_aws.fixtures"]

HANDLER = "import os\ndef handler(event, context): return os.environ.get('SETTING')"


@pytest.fixture
def stack(local_aws: LocalAWS) -> Iterator["Stack"]:
    """A stack that is deleted in the end."""
    stack = Stack(local_aws)
    yield stack
    stack.delete()


class Stack:
    """One CloudFormation stack."""

    def __init__(self, aws: LocalAWS) -> None:
        self._client = aws.client("cloudformation")
        self.name = f"stack-{uuid.uuid4().hex[:8]}"

    def deploy(self, resources: dict[str, Any], **outputs: Any) -> dict[str, str]:
        """Create or update it by a change set, as `sam deploy` does: its outputs."""
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
        self._client.get_waiter("change_set_create_complete").wait(ChangeSetName=change, WaiterConfig={"Delay": 0.05})
        self._client.execute_change_set(ChangeSetName=change)
        self._client.get_waiter(f"stack_{kind}_complete").wait(StackName=self.name, WaiterConfig={"Delay": 0.05})
        (stack,) = self._client.describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def status(self) -> str:
        """Its status, as it is now."""
        return str(self._client.describe_stacks(StackName=self.name)["Stacks"][0]["StackStatus"])

    def delete(self) -> None:
        """Delete it, if it is there."""
        self._client.delete_stack(StackName=self.name)
        self._client.get_waiter("stack_delete_complete").wait(StackName=self.name, WaiterConfig={"Delay": 0.05})


def nested(aws: LocalAWS, template: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    """A nested stack whose template lies in a bucket, by the address that `sam deploy` finds for it."""
    s3, bucket, key = aws.client("s3"), f"templates-{uuid.uuid4().hex}", f"{uuid.uuid4().hex}.template"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template))
    url = f"{aws.endpoint_url}/{bucket}/{key}"
    return {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url, "Parameters": parameters}}


def secret(name: Any, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": name, **properties}}


def function(**properties: Any) -> dict[str, Any]:
    defaults = {"InlineCode": HANDLER, "Handler": "index.handler", "Runtime": "python3.13", "Timeout": 30}
    return {"Type": "AWS::Serverless::Function", "Properties": defaults | properties}


def test_a_reference_to_a_secret_is_its_arn(local_aws: LocalAWS, stack: Stack) -> None:
    name = f"own/{uuid.uuid4().hex}"
    resources = {"Secret": secret(name)}
    outputs = stack.deploy(resources, Ref={"Ref": "Secret"}, Id={"Fn::GetAtt": ["Secret", "Id"]})
    arn = local_aws.client("secretsmanager").describe_secret(SecretId=name)["ARN"]
    assert outputs == {"Ref": arn, "Id": arn}


def test_an_update_keeps_the_secret_and_its_value(local_aws: LocalAWS, stack: Stack) -> None:
    name = f"own/{uuid.uuid4().hex}"
    client = local_aws.client("secretsmanager")
    arn = stack.deploy({"Secret": secret(name)}, Ref={"Ref": "Secret"})["Ref"]
    client.put_secret_value(SecretId=arn, SecretString="value")
    assert stack.deploy({"Secret": secret(name, Description="new")}, Ref={"Ref": "Secret"}) == {"Ref": arn}
    assert client.describe_secret(SecretId=arn)["Description"] == "new"
    assert client.get_secret_value(SecretId=arn)["SecretString"] == "value"


def test_a_stack_takes_its_secrets_along_save_those_to_retain(local_aws: LocalAWS, stack: Stack) -> None:
    gone, kept = f"own/{uuid.uuid4().hex}", f"own/{uuid.uuid4().hex}"
    stack.deploy({"Gone": secret(gone), "Kept": secret(kept) | {"DeletionPolicy": "Retain"}})
    stack.delete()
    client = local_aws.client("secretsmanager")
    assert client.describe_secret(SecretId=kept)["Name"] == kept
    with pytest.raises(ClientError) as missing:
        client.describe_secret(SecretId=gone)
    assert missing.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.fixture
def taken(local_aws: LocalAWS) -> str:
    """The name of a secret that is there: a stack that makes one of that name fails."""
    name = f"taken/{uuid.uuid4().hex}"
    local_aws.client("secretsmanager").create_secret(Name=name)
    return name


@pytest.mark.parametrize("failing", ["nested", "parent"])
def test_a_failed_creation_leaves_only_what_is_retained_always(
    local_aws: LocalAWS, stack: Stack, taken: str, failing: str
) -> None:
    """User guide, "DeletionPolicy attribute": RetainExceptOnCreate retains "except for the stack operation that
    initially creates the resource"."""
    kept, tried, plain = (f"own/{uuid.uuid4().hex}" for _ in range(3))
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
    client = local_aws.client("secretsmanager")
    left = {found["Name"] for page in client.get_paginator("list_secrets").paginate() for found in page["SecretList"]}
    assert left & {kept, tried, plain, taken} == {kept, taken}


def test_what_a_failed_creation_would_have_deleted_outlives_the_stack(local_aws: LocalAWS, stack: Stack) -> None:
    name = f"own/{uuid.uuid4().hex}"
    template = {"Resources": {"Kept": secret(name) | {"DeletionPolicy": "RetainExceptOnCreate"}}}
    stack.deploy({"Inner": nested(local_aws, template)})
    stack.delete()
    assert local_aws.client("secretsmanager").describe_secret(SecretId=name)["Name"] == name


def test_a_nested_stack_has_parameters_outputs_and_its_parents_end(local_aws: LocalAWS, stack: Stack) -> None:
    """Save for what its own template retains."""
    gone, kept = f"own/{uuid.uuid4().hex}", f"own/{uuid.uuid4().hex}"
    template = {
        "Parameters": {"Name": {"Type": "String"}, "Description": {"Type": "String", "Default": "-"}},
        "Resources": {
            "Gone": secret({"Ref": "Name"}, Description={"Ref": "Description"}),
            "Kept": secret(kept) | {"DeletionPolicy": "Retain"},
        },
        "Outputs": {
            "Arn": {"Value": {"Fn::GetAtt": ["Gone", "Id"]}},
            "Unchanged": {"Value": {"Fn::GetAtt": ["Kept", "Id"]}},
        },
    }
    client = local_aws.client("secretsmanager")
    wanted = {name: {"Fn::GetAtt": ["Nested", f"Outputs.{name}"]} for name in ("Arn", "Unchanged")}
    outputs = stack.deploy({"Nested": nested(local_aws, template, Name=gone)}, **wanted)
    assert outputs["Arn"] == client.describe_secret(SecretId=gone)["ARN"]
    assert outputs["Unchanged"] == client.describe_secret(SecretId=kept)["ARN"]
    resources = {"Nested": nested(local_aws, template, Name=gone, Description="new")}
    assert stack.deploy(resources, **wanted) == outputs
    assert client.describe_secret(SecretId=gone)["Description"] == "new"
    stack.delete()
    assert client.describe_secret(SecretId=kept)["Name"] == kept
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_secret(SecretId=gone)


def test_the_address_of_a_nested_template_is_shown_as_aws_would(local_aws: LocalAWS, stack: Stack) -> None:
    """SAM CLI, parse_s3_url: `sam delete` reads bucket and key from an address that begins with https://s3."""
    resource = nested(local_aws, {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})
    stack.deploy({"Nested": resource})
    path = resource["Properties"]["TemplateURL"].removeprefix(local_aws.endpoint_url)
    template = local_aws.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    shown = template["Resources"]["Nested"]["Properties"]["TemplateURL"]
    assert shown == f"https://s3.{local_aws.region}.amazonaws.com{path}"


def test_the_transforms_of_a_nested_template_are_applied(local_aws: LocalAWS, stack: Stack) -> None:
    """AWS::LanguageExtensions over a parameter, and a function of SAM."""
    names = [f"queue-{uuid.uuid4().hex}" for _ in range(2)]
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Name"}}}
    template = {
        "Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
        "Parameters": {"Names": {"Type": "CommaDelimitedList"}},
        "Resources": {
            "Fn::ForEach::Queues": ["Name", {"Ref": "Names"}, {"Queue&{Name}": queue}],
            "Function": function(),
        },
        "Outputs": {"Function": {"Value": {"Ref": "Function"}}},
    }
    resources = {"Nested": nested(local_aws, template, Names=",".join(names))}
    outputs = stack.deploy(resources, Function={"Fn::GetAtt": ["Nested", "Outputs.Function"]})
    for name in names:
        assert local_aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"].endswith(name)
    assert "FunctionError" not in invoke(local_aws, outputs["Function"])


def test_a_secret_has_the_resource_policy_of_the_template(local_aws: LocalAWS, stack: Stack) -> None:
    name = f"own/{uuid.uuid4().hex}"
    client = local_aws.client("secretsmanager")

    def resources(*actions: str) -> dict[str, Any]:
        principal = {"AWS": "arn:aws:iam::111122223333:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*"}
        policy = {"SecretId": {"Ref": "Secret"}, "ResourcePolicy": {"Statement": [statement]}}
        policy_resource = {"Type": "AWS::SecretsManager::ResourcePolicy", "Properties": policy}
        return {"Secret": secret(name), **({"Policy": policy_resource} if actions else {})}

    def actions() -> Any:
        policy = client.get_resource_policy(SecretId=name).get("ResourcePolicy")
        return policy and json.loads(policy)["Statement"][0]["Action"]

    arn = stack.deploy(resources("secretsmanager:GetSecretValue"), Ref={"Ref": "Policy"})["Ref"]
    assert arn == client.describe_secret(SecretId=name)["ARN"]
    assert actions() == ["secretsmanager:GetSecretValue"]
    stack.deploy(resources("secretsmanager:DescribeSecret"))
    assert actions() == ["secretsmanager:DescribeSecret"]
    stack.deploy(resources())
    assert actions() is None


def test_a_bus_keeps_the_statements_of_others(local_aws: LocalAWS, stack: Stack) -> None:
    client, other = local_aws.client("events"), f"other-{uuid.uuid4().hex}"
    client.put_permission(StatementId=other, Principal="111122223333", Action="events:PutEvents")

    def statements(sid: str) -> list[Any]:
        policy = json.loads(client.describe_event_bus(Name="default")["Policy"])
        return [statement for statement in policy["Statement"] if statement["Sid"] == sid]

    identifier = uuid.uuid4().hex
    for source in ("old", "new"):
        condition = {"StringEquals": {"events:source": source}}
        principal = {"AWS": ["444455556666", "777788889999"]}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "events:PutEvents", "Condition": condition}
        properties = {"StatementId": identifier, "Statement": statement}
        stack.deploy({"Policy": {"Type": "AWS::Events::EventBusPolicy", "Properties": properties}})
        assert statements(identifier) == [{"Sid": identifier} | statement]
    stack.delete()
    assert statements(identifier) == []
    assert len(statements(other)) == 1
    client.remove_permission(StatementId=other)


def test_a_saved_query_follows_the_template(local_aws: LocalAWS, stack: Stack) -> None:
    logs, name = local_aws.client("logs"), f"runbook/{uuid.uuid4().hex}"

    def saved() -> list[tuple[str, str]]:
        found = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
        return [(query["queryDefinitionId"], query["queryString"]) for query in found]

    ids = set()
    for text in ("fields @message", "fields account"):
        properties = {"Name": name, "QueryString": text, "LogGroupNames": ["/aws/lambda/x"]}
        query = {"Type": "AWS::Logs::QueryDefinition", "Properties": properties}
        identifier = stack.deploy({"Query": query}, Id={"Ref": "Query"})["Id"]
        ids.add(identifier)
        assert saved() == [(identifier, text)]
    assert len(ids) == 1
    stack.delete()
    assert saved() == []


def test_a_table_has_the_time_to_live_of_the_template(local_aws: LocalAWS, stack: Stack) -> None:
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "TimeToLiveSpecification": {"AttributeName": "expiration", "Enabled": True},
        },
    }
    name = stack.deploy({"Table": table}, Name={"Ref": "Table"})["Name"]
    described = local_aws.client("dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiration"}


def test_an_update_replaces_a_functions_workers_a_deletion_ends_them(local_aws: LocalAWS, stack: Stack) -> None:
    answers = []
    for setting in ("old", "new"):
        environment = {"Variables": {"SETTING": setting}}
        name = stack.deploy({"Function": function(Environment=environment)}, Name={"Ref": "Function"})["Name"]
        answers.append(invoke(local_aws, name)["Payload"])
    assert answers == ["old", "new"]
    stack.delete()
    assert name not in [worker["function"] for worker in local_aws.workers()]


def test_functions_get_the_rights_that_the_template_gives_them(local_aws: LocalAWS, stack: Stack) -> None:
    """A policy by a reference, the destination of a failed event, and the log group."""
    name = f"own/{uuid.uuid4().hex}"
    source = """
import boto3
def handler(event, context):
    print("plain")
    return boto3.client("secretsmanager").describe_secret(SecretId=event)["Name"]
"""
    allowed = {"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": {"Ref": "Secret"}}
    properties = {
        "InlineCode": source,
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": {"Ref": "Log"}},
        "Policies": [{"Version": "2012-10-17", "Statement": [allowed]}],
        "EventInvokeConfig": {
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": {"Fn::GetAtt": ["Queue", "Arn"]}}},
        },
    }
    resources = {
        "Secret": secret(name),
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 7}},
        "Function": function(**properties),
    }
    references = {output: {"Ref": output} for output in ("Function", "Queue", "Log")}
    outputs = stack.deploy(resources, **references)
    assert invoke(local_aws, outputs["Function"], name)["Payload"] == name
    events = local_aws.client("logs").filter_log_events(logGroupName=outputs["Log"])["events"]
    assert "plain" in [event["message"] for event in events]
    local_aws.client("lambda").invoke(FunctionName=outputs["Function"], InvocationType="Event", Payload='"other"')
    received = local_aws.client("sqs").receive_message(QueueUrl=outputs["Queue"], WaitTimeSeconds=20)["Messages"]
    assert "AccessDeniedException" in json.loads(received[0]["Body"])["responsePayload"]["errorMessage"]
