"""aws-secretsmanager-caching, with the botocore client that it makes."""

import json
import os

from aws_secretsmanager_caching import SecretCache

text = SecretCache().get_secret_string(os.environ["TALEND_TOKEN_SECRET"])
print(len(json.loads(text)["access_token"]), flush=True)
