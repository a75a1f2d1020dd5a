"""A client of AWS at an address where no server listens."""

from typing import Any

import boto3
from botocore.config import Config


def unreachable(service: str) -> Any:
    """Return a boto3 client whose every call fails at once, with `EndpointConnectionError`."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )
