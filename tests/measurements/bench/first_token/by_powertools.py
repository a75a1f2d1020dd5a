"""Powertools for AWS Lambda."""

import os
from typing import Any

from aws_lambda_powertools.utilities import parameters

document: Any = parameters.get_secret(os.environ["TALEND_TOKEN_SECRET"], transform="json")
print(len(document["access_token"]), flush=True)
