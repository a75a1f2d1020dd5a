"""Other ways to rotate, as functions of Lambda."""

import functools
import json
import os
import uuid
from typing import Any

import boto3
import requests

TOKEN_SECRET = "talend/default/token"
ROTATED = {"outcome": "rotated"}


@functools.cache
def client() -> Any:
    return boto3.client("secretsmanager")


def usual(event: Any, context: Any) -> dict[str, str]:  # noqa: ARG001 (Lambda gives both)
    """One client, one POST, one write. It locks, stages and checks nothing."""
    client().put_secret_value(SecretId=TOKEN_SECRET, SecretString=new_token(client()))
    return ROTATED


def four_steps(event: Any, context: Any) -> dict[str, str]:  # noqa: ARG001
    """As AWS's template has it: Secrets Manager invokes it four times, and each time it makes a client.

    The steps and their calls are those that Secrets Manager's guide describes. The token call is in the first.
    """
    version = str(uuid.uuid4())
    for step in (create_secret, set_secret, test_secret, finish_secret):
        secrets = boto3.client("secretsmanager")
        if not secrets.describe_secret(SecretId=TOKEN_SECRET)["RotationEnabled"]:
            raise RuntimeError("the secret is not enabled for rotation")
        step(secrets, version)
    return ROTATED


def new_token(secrets: Any) -> str:
    """Return what is to be stored."""
    pair = secrets.get_secret_value(SecretId="talend/default/credentials")["SecretString"]
    client_id, _, client_secret = pair.partition(":")
    response = requests.post(
        os.environ["TALEND_API_URL"] + "/security/oauth/token",
        auth=(client_id, client_secret),
        json={"audience": os.environ["TALEND_API_URL"], "grant_type": "client_credentials"},
        timeout=10,
    )
    response.raise_for_status()
    return json.dumps({"access_token": response.json()["access_token"]})


def create_secret(secrets: Any, version: str) -> None:
    secrets.get_secret_value(SecretId=TOKEN_SECRET, VersionStage="AWSCURRENT")
    try:
        secrets.get_secret_value(SecretId=TOKEN_SECRET, VersionId=version, VersionStage="AWSPENDING")
    except secrets.exceptions.ResourceNotFoundException:
        token, stages = new_token(secrets), ["AWSPENDING"]
        secrets.put_secret_value(
            SecretId=TOKEN_SECRET, ClientRequestToken=version, SecretString=token, VersionStages=stages
        )


def set_secret(secrets: Any, version: str) -> None:
    """Talend already knows its token."""


def test_secret(secrets: Any, version: str) -> None:  # noqa: ARG001 (every step is called alike)
    secrets.get_secret_value(SecretId=TOKEN_SECRET, VersionStage="AWSPENDING")


def finish_secret(secrets: Any, version: str) -> None:
    stages = secrets.describe_secret(SecretId=TOKEN_SECRET)["VersionIdsToStages"]
    current = next(held for held, labels in stages.items() if "AWSCURRENT" in labels)
    secrets.update_secret_version_stage(
        SecretId=TOKEN_SECRET, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=current
    )
