"""The client and its peers, each as its documentation says, over a `bench.upstream.Upstream`."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import google.oauth2.credentials
import httpx
import requests
from authlib.integrations.requests_client import OAuth2Session
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig
from botocore.credentials import RefreshableCredentials
from cachetools import TTLCache, cached
from httpx_auth import OAuth2ClientCredentials

from bench.upstream import RENEW_FUNCTION, SECRET_NAME, Upstream
from talend_token import TokenClient
from talend_token.secrets_manager import SecretsManagerSource

CLIENT = {"client_id": "abc", "client_secret": "s3cret"}


def talend_token_client(secret: str = SECRET_NAME, renew_function: str = RENEW_FUNCTION) -> TokenClient:
    """Ours; the environment turns it to the upstream, as it does all that use boto3."""
    return TokenClient(SecretsManagerSource(secret, renew_function))


def secrets_client() -> Any:
    """A boto3 client of its own."""
    return boto3.session.Session().client("secretsmanager")


def powertools_provider() -> SecretsProvider:
    return SecretsProvider(boto3_client=secrets_client())


def secret_cache(refresh_interval_seconds: int = 3600) -> SecretCache:
    return SecretCache(SecretCacheConfig(secret_refresh_interval=refresh_interval_seconds), secrets_client())


def authlib_session(upstream: Upstream) -> OAuth2Session:
    """It has fetched its first token."""
    session = OAuth2Session(**CLIENT, token_endpoint=upstream.token_url, grant_type="client_credentials")
    session.fetch_token()
    return session


def google_credentials(upstream: Upstream) -> google.oauth2.credentials.Credentials:
    """It has fetched its first token. `refresh_handler` is the way to a token endpoint that is not Google's."""

    def refresh(_: Any, scopes: Any) -> tuple[str, datetime]:  # noqa: ARG001
        answer = requests.post(upstream.token_url, data={"grant_type": "client_credentials"} | CLIENT, timeout=60)
        answer.raise_for_status()
        life = timedelta(seconds=answer.json()["expires_in"])
        return answer.json()["access_token"], (datetime.now(UTC) + life).replace(tzinfo=None)

    token, expiry = refresh(None, None)
    # It knows times without a zone only.
    return google.oauth2.credentials.Credentials(token, expiry=expiry, refresh_handler=refresh)


def httpx_auth(upstream: Upstream) -> OAuth2ClientCredentials:
    """It fetches its first token when it is first used. All of one account share a cache: each here has its own."""
    account = CLIENT | {"client_id": str(uuid.uuid4())}
    return OAuth2ClientCredentials(upstream.token_url, client=httpx.Client(trust_env=False, timeout=60), **account)


def refreshable_credentials() -> RefreshableCredentials:
    """botocore's own cache of what expires, with the secret as its source. It has read its first token."""
    client = secrets_client()

    def refresh() -> dict[str, str]:
        document = json.loads(client.get_secret_value(SecretId=SECRET_NAME)["SecretString"])
        expiry = datetime.fromtimestamp(document["expires_at"], UTC).isoformat()
        return {"access_key": document["access_token"], "secret_key": "-", "token": "-", "expiry_time": expiry}

    credentials: RefreshableCredentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "secret")
    return credentials


def ttl_cached_read(seconds: float = 3600) -> Callable[[], Any]:
    """cachetools' `cached` with a lock, around the read of the secret."""
    client = secrets_client()

    def read() -> Any:
        return json.loads(client.get_secret_value(SecretId=SECRET_NAME)["SecretString"])

    call: Callable[[], Any] = cached(TTLCache(maxsize=1, ttl=seconds), lock=threading.Lock())(read)
    return call
