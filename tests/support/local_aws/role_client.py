"""Calls that a service of AWS makes for a function or a schedule, with the rights of its role."""

import functools
import os
from typing import Any

import boto3
import botocore.config
from ministack.core.lambda_runtime import execution_credentials


def role_client(service: str, role_arn: str, session: str) -> Any:
    """A client of this AWS that signs as the role, so that ministack checks the role's policies.

    `session` names the assumed role's session, which is what an access denial shows.
    """
    account_id, region = role_arn.split(":")[4], os.environ["MINISTACK_REGION"]
    caller = {"FunctionArn": f"arn:aws:lambda:{region}:{account_id}:function:{session}", "FunctionName": session}
    return _client(service, region, *execution_credentials(caller | {"Role": role_arn}).values())


def queue_url(arn: str) -> str:
    """The URL of a queue by its ARN: a role that may send to a queue need not have the right to ask for it."""
    account_id, name = arn.split(":")[4:6]
    return f"{_endpoint()}/{account_id}/{name}"


def _endpoint() -> str:
    return f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}"


@functools.lru_cache(64)
def _client(service: str, region: str, key: str, secret: str, token: str) -> Any:
    return boto3.Session(key, secret, token, region).client(
        service,  # type: ignore[call-overload]
        endpoint_url=_endpoint(),
        config=botocore.config.Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={}),
    )
