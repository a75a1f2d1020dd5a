"""The usual handler: a client made at import, one POST, one write. It locks, stages and checks nothing."""

import json
import os

import boto3
import requests

secrets = boto3.client("secretsmanager")


def rotate() -> None:
    pair = secrets.get_secret_value(SecretId="talend/default/credentials")["SecretString"]
    client_id, _, client_secret = pair.partition(":")
    response = requests.post(
        os.environ["TALEND_API_URL"] + "/security/oauth/token",
        auth=(client_id, client_secret),
        json={"audience": os.environ["TALEND_API_URL"], "grant_type": "client_credentials"},
        timeout=10,
    )
    response.raise_for_status()
    secrets.put_secret_value(
        SecretId="talend/default/token", SecretString=json.dumps({"access_token": response.json()["access_token"]})
    )
    print("rotated")
