"""The token in another Region: `docs/consumers.md` replicates its secret, and says what a consumer there needs."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError

from demo.roles import Role
from e2e.breakage import force_rotation
from local_aws.waiting import eventually
from talend_token.secrets_manager import SecretsManagerSource

REGION = "us-east-1"


@pytest.fixture
def statements(deployment):
    """Replicate the token secret with a key; return what a consumer in its Region needs beside ConsumerPolicy."""
    keys = boto3.Session("test", "test", region_name=REGION).client("kms", endpoint_url=deployment.aws.endpoint_url)
    key, secret = keys.create_key()["KeyMetadata"]["Arn"], {"SecretId": deployment["TokenSecretArn"]}
    deployment.secrets.replicate_secret_to_regions(**secret, AddReplicaRegions=[{"Region": REGION, "KmsKeyId": key}])
    read = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    through_secrets_manager = {"StringEquals": {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}}
    yield [
        {"Action": read, "Resource": deployment["TokenSecretArn"].replace(deployment.aws.region, REGION)},
        {"Action": "kms:Decrypt", "Resource": key, "Condition": through_secrets_manager},
    ]
    deployment.secrets.remove_regions_from_replication(**secret, RemoveReplicaRegions=[REGION])


def reader(deployment, name, statements):
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Effect": "Allow"} for statement in statements]}
    return Role(deployment.aws, name, policy_arn=deployment["ConsumerPolicyArn"], policy=json.dumps(policy))


def test_a_replica_follows_each_rotation_and_needs_both_statements(deployment, statements, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployment.aws.endpoint_url)
    replica, session = statements[0]["Resource"], reader(deployment, "reader", statements).session(REGION)
    source = SecretsManagerSource(replica, deployment["RenewFunctionName"], session=session)
    for _ in range(2):
        force_rotation(deployment)
        eventually(lambda: source.read().token.version_id == deployment.published()["VersionId"])
    for number, statement in enumerate(statements):
        half = reader(deployment, f"half-a-reader-{number}", [statement]).client("secretsmanager", REGION)
        with pytest.raises(ClientError, match="AccessDenied"):
            half.get_secret_value(SecretId=replica)
