"""The floor for all that read the secret: boto3 and json."""

import json
import os

import boto3

secrets = boto3.client("secretsmanager")
text = secrets.get_secret_value(SecretId=os.environ["TALEND_TOKEN_SECRET"])["SecretString"]
print(len(json.loads(text)["access_token"]), flush=True)
