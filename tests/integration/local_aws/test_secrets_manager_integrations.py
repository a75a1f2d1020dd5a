"""Secrets Manager of the local AWS in time, under parallel requests, and with the services beside it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import requests
from botocore.exceptions import ClientError, WaiterError

from local_aws import LocalAWS
from local_aws.waiting import eventually

Client = Any

ROTATION_FUNCTION = """
import boto3

def handler(event, context):
    client, secret, token = boto3.client("secretsmanager"), event["SecretId"], event["ClientRequestToken"]
    if event["Step"] == "createSecret":
        client.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString="rotated", VersionStages=["AWSPENDING"]
        )
    if event["Step"] == "finishSecret":
        current = client.get_secret_value(SecretId=secret)["VersionId"]
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", RemoveFromVersionId=current, MoveToVersionId=token
        )
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAWS]:
    """A local AWS whose clock of Secrets Manager belongs to these tests."""
    with LocalAWS() as aws:
        yield aws


@pytest.fixture(scope="module")
def client(aws: LocalAWS) -> Client:
    return aws.client("secretsmanager")


def advance_a_day(aws: LocalAWS) -> None:
    requests.get(f"{aws.endpoint_url}/_local_aws/secrets_manager/advance_a_day", timeout=5).raise_for_status()


def put(client: Client, name: str, *values: str) -> list[str]:
    return [client.put_secret_value(SecretId=name, SecretString=value)["VersionId"] for value in values]


def labels_of(client: Client, name: str) -> dict[str, list[str]]:
    versions = client.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]
    return {version["VersionId"]: version.get("VersionStages", []) for version in versions}


def test_after_a_day_the_oldest_versions_without_labels_make_room(aws: LocalAWS, client: Client) -> None:
    """API, PutSecretValue: "Secrets Manager keeps 100 of the most recent versions", and all of the last 24 hours."""
    client.create_secret(Name="aged")
    versions = put(client, "aged", *(str(number) for number in range(100)))
    client.update_secret_version_stage(SecretId="aged", VersionStage="keep", MoveToVersionId=versions[0])
    with pytest.raises(client.exceptions.LimitExceededException):
        put(client, "aged", "too early")
    advance_a_day(aws)
    newest = put(client, "aged", "in time")
    assert list(labels_of(client, "aged")) == [versions[0], *versions[2:], *newest]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_secret_value(SecretId="aged", VersionId=versions[1])


def test_a_version_younger_than_a_day_never_makes_room(aws: LocalAWS, client: Client) -> None:
    """API, PutSecretValue: "it keeps all secret versions created in the last 24 hours"."""
    client.create_secret(Name="mixed")
    old = put(client, "mixed", "one", "two", "three")
    advance_a_day(aws)
    young = put(client, "mixed", *(str(number) for number in range(100)))
    with pytest.raises(client.exceptions.LimitExceededException):
        put(client, "mixed", "too early")
    assert list(labels_of(client, "mixed")) == young
    assert not set(old) & set(young)


def test_of_parallel_moves_of_a_label_one_wins(client: Client) -> None:
    """API, UpdateSecretVersionStage: the operation fails if "the version ID does not match"."""
    client.create_secret(Name="contended")
    current = put(client, "contended", "current")[0]
    rivals = [
        client.put_secret_value(SecretId="contended", SecretString=label, VersionStages=[label])["VersionId"]
        for label in "abcdefgh"
    ]

    def take(rival: str) -> str:
        try:
            client.update_secret_version_stage(
                SecretId="contended", VersionStage="AWSCURRENT", RemoveFromVersionId=current, MoveToVersionId=rival
            )
        except client.exceptions.InvalidParameterException:
            return "refused"
        return "moved"

    with ThreadPoolExecutor(len(rivals)) as pool:
        assert sorted(pool.map(take, rivals)) == ["moved"] + ["refused"] * 7
    assert labels_of(client, "contended")[current] == ["AWSPREVIOUS"]


def test_parallel_repetitions_of_a_put_make_one_version(client: Client) -> None:
    """API, PutSecretValue: "This operation is idempotent"."""
    client.create_secret(Name="repeated")
    request = {"SecretId": "repeated", "SecretString": "same", "ClientRequestToken": "t" * 32}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.put_secret_value(**request)["VersionStages"], range(16)))
    assert answers == [["AWSCURRENT"]] * 16
    assert labels_of(client, "repeated") == {"t" * 32: ["AWSCURRENT"]}


def deploy(aws: LocalAWS, stack: str, secret: dict[str, Any], *, change: str = "create") -> None:
    template = {"Resources": {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": secret}}}
    cloudformation = aws.client("cloudformation")
    getattr(cloudformation, f"{change}_stack")(StackName=stack, TemplateBody=json.dumps(template))
    waiter = cloudformation.get_waiter(f"stack_{change}_complete")
    waiter.config.delay = 0.1
    waiter.wait(StackName=stack)


def test_a_template_without_a_value_makes_an_empty_secret(aws: LocalAWS, client: Client) -> None:
    """CloudFormation reference, AWS::SecretsManager::Secret: without SecretString and GenerateSecretString,
    "the secret is empty"."""
    deploy(aws, "empty", {"Name": "templated/empty"})
    deploy(aws, "filled", {"Name": "templated/filled", "SecretString": "one"})
    assert labels_of(client, "templated/empty") == {}
    assert client.get_secret_value(SecretId="templated/filled")["SecretString"] == "one"


def test_a_template_cannot_take_the_name_of_a_secret_that_is_there(aws: LocalAWS, client: Client) -> None:
    """API, ResourceExistsException: what a second deployment over a retained secret meets."""
    client.create_secret(Name="templated/retained", SecretString="precious")
    with pytest.raises(WaiterError):
        deploy(aws, "second", {"Name": "templated/retained"})
    assert client.get_secret_value(SecretId="templated/retained")["SecretString"] == "precious"


def test_a_template_that_drops_the_key_goes_back_to_the_managed_one(aws: LocalAWS, client: Client) -> None:
    """API, UpdateSecret.KmsKeyId: set to an empty string, it is the AWS managed key; the value is untouched."""
    key, secret = aws.client("kms").create_key()["KeyMetadata"]["Arn"], {"Name": "templated/key", "SecretString": "one"}
    deploy(aws, "key", secret | {"KmsKeyId": key})
    assert client.describe_secret(SecretId="templated/key")["KmsKeyId"] == key
    deploy(aws, "key", secret, change="update")
    assert "KmsKeyId" not in client.describe_secret(SecretId="templated/key")
    assert list(labels_of(client, "templated/key").values()) == [["AWSCURRENT"]]


def test_a_moved_label_is_an_event_unless_it_is_pending_or_previous(aws: LocalAWS, client: Client) -> None:
    """Guide, "Secret event notifications": "Secret Label Updated" for every label but these two."""
    queues, events = aws.client("sqs"), aws.client("events")
    queue = queues.create_queue(QueueName="labels")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    permission = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:*",
        "Resource": arn,
    }
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps({"Statement": [permission]})})
    events.put_rule(Name="labels", EventPattern=json.dumps({"detail": {"name": ["announced"]}}))
    events.put_targets(Rule="labels", Targets=[{"Id": "queue", "Arn": arn}])
    client.create_secret(Name="announced")
    first = put(client, "announced", "one")[0]
    client.put_secret_value(SecretId="announced", SecretString="two", VersionStages=["AWSPENDING", "blue"])
    second = put(client, "announced", "three")[0]
    found: list[tuple[str, str]] = []

    def arrived() -> bool:
        for message in queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            assert event["detail-type"] == "Secret Label Updated"
            found.append((event["detail"]["labelUpdated"], event["detail"]["versionId"]))
        return len(found) >= 3

    eventually(arrived)
    assert sorted(label for label, _ in found) == ["AWSCURRENT", "AWSCURRENT", "blue"]
    assert {version_id for label, version_id in found if label == "AWSCURRENT"} == {first, second}


def test_a_customer_managed_key_is_needed_beside_the_secret(aws: LocalAWS, client: Client) -> None:
    """API, GetSecretValue: "you also need kms:Decrypt permissions for that key"; a write needs kms:GenerateDataKey."""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    arn = client.create_secret(Name="encrypted", SecretString="one", KmsKeyId=key)["ARN"]
    iam = aws.client("iam")
    iam.create_user(UserName="reader")
    access_key = iam.create_access_key(UserName="reader")["AccessKey"]

    def allow(*actions: str) -> None:
        statement = {"Effect": "Allow", "Action": ["secretsmanager:*", *actions], "Resource": [arn, key]}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="reader", PolicyName="rights", PolicyDocument=policy)

    allow()
    reader = boto3.client(
        "secretsmanager",
        endpoint_url=aws.endpoint_url,
        region_name=aws.region,
        aws_access_key_id=access_key["AccessKeyId"],
        aws_secret_access_key=access_key["SecretAccessKey"],
    )
    with pytest.raises(ClientError, match=r"AccessDeniedException.*Access to KMS is not allowed"):
        reader.get_secret_value(SecretId=arn)
    allow("kms:Decrypt")
    assert reader.get_secret_value(SecretId=arn)["SecretString"] == "one"
    with pytest.raises(ClientError, match=r"AccessDeniedException.*Access to KMS is not allowed"):
        put(reader, arn, "two")
    allow("kms:Decrypt", "kms:GenerateDataKey")
    put(reader, arn, "two")
    aws.client("kms").disable_key(KeyId=key)
    with pytest.raises(client.exceptions.DecryptionFailure):
        client.get_secret_value(SecretId=arn)
    with pytest.raises(client.exceptions.EncryptionFailure):
        put(client, arn, "three")
    reader.close()


def test_a_secret_is_deleted_after_its_replicas(client: Client) -> None:
    """API, DeleteSecret: "You can't delete a primary secret that is replicated to other Regions"."""
    client.create_secret(Name="replicated", SecretString="one")
    client.replicate_secret_to_regions(SecretId="replicated", AddReplicaRegions=[{"Region": "us-east-1"}])
    for force in (False, True):
        with pytest.raises(ClientError, match=r"InvalidRequestException.*replica regions \['us-east-1'\]"):
            client.delete_secret(SecretId="replicated", ForceDeleteWithoutRecovery=force)
    client.remove_regions_from_replication(SecretId="replicated", RemoveReplicaRegions=["us-east-1"])
    assert client.delete_secret(SecretId="replicated")["DeletionDate"]
