"""The token in another Region: a command replicates its secret, and a policy lets a consumer there read it."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from demo.roles import Role
from e2e.breakage import force_rotation
from local_aws.waiting import eventually
from talend_token.secrets_manager import SecretsManagerSource

REGION = "us-east-1"
REPLICATE = (
    "aws secretsmanager replicate-secret-to-regions --secret-id talend-token/default/token "
    "--add-replica-regions Region={region},KmsKeyId={key}"
)
STOP = (
    "aws secretsmanager remove-regions-from-replication --secret-id talend-token/default/token "
    "--remove-replica-regions {region}"
)


@pytest.fixture(scope="module")
def key(deployment):
    """A key of the other Region."""
    client = boto3.Session("test", "test", region_name=REGION).client("kms", endpoint_url=deployment.aws.endpoint_url)
    return client.create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def replica(deployment, key):
    """The ARN of the replica."""
    deployment.run(*REPLICATE.format(region=REGION, key=key).split())
    yield deployment["TokenSecretArn"].replace(deployment.aws.region, REGION)
    deployment.run(*STOP.format(region=REGION).split())


def reader_policy(replica, key):
    """Return what a consumer in the other Region needs beside ConsumerPolicy."""
    read = {
        "Effect": "Allow",
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": replica,
    }
    decrypt = {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}},
    }
    return {"Version": "2012-10-17", "Statement": [read, decrypt]}


@pytest.fixture(scope="module")
def reader(deployment, replica, key):
    policy = json.dumps(reader_policy(replica, key))
    return Role(deployment.aws, "reader", policy_arn=deployment["ConsumerPolicyArn"], policy=policy)


def test_a_replica_follows_each_rotation(deployment, replica, reader, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployment.aws.endpoint_url)
    source = SecretsManagerSource(replica, deployment["RenewFunctionName"], session=reader.session(REGION))
    for _ in range(2):
        force_rotation(deployment)
        eventually(lambda: source.read().token.version_id == deployment.published()["VersionId"])


@pytest.mark.parametrize("left_out", [0, 1])
def test_a_reader_of_the_replica_needs_both_statements(deployment, replica, key, left_out):
    policy = reader_policy(replica, key)
    del policy["Statement"][left_out]
    role = Role(deployment.aws, f"half-a-reader-{left_out}", policy=json.dumps(policy))
    with pytest.raises(ClientError, match="AccessDenied"):
        role.client("secretsmanager", REGION).get_secret_value(SecretId=replica)


@pytest.mark.usefixtures("replica")
def test_the_token_secret_is_deleted_after_its_replica(deployment, key):
    """Secrets Manager refuses the other way round."""
    secret = {"SecretId": deployment["TokenSecretArn"]}
    with pytest.raises(ClientError, match="replica"):
        deployment.secrets.delete_secret(**secret)
    deployment.run(*STOP.format(region=REGION).split())
    deployment.secrets.delete_secret(**secret)
    assert deployment.secrets.describe_secret(**secret)["DeletedDate"]
    # Other tests need both.
    deployment.secrets.restore_secret(**secret)
    deployment.run(*REPLICATE.format(region=REGION, key=key).split())
