"""The client and its peers, each used as its documentation says.

Each function gets a first token and returns a call. The call returns an access token, or the API's status for a
function that has `request` in its name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import google.oauth2.credentials
import requests
from authlib.integrations.requests_client import OAuth2Session
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_secretsmanager_caching import SecretCache, SecretCacheConfig
from botocore.credentials import RefreshableCredentials
from google.auth.transport.requests import AuthorizedSession

from bench.upstream import API_PATH, TOKEN_PATH, TOKEN_SECRET
from talend_token import TokenClient
from talend_token.requests import TalendAuth

CLIENT = {"client_id": "abc", "client_secret": "s3cret"}
# Long enough that only the contestant ends a request.
TIMEOUT_SECONDS = 300

# A way to get a token from `bench.upstream`, in its environment, with its URL and the first token's life in seconds.
Prepare = Callable[[str, int], Callable[[], object]]


def ours(_: str, __: int) -> Callable[[], object]:
    client = TokenClient()
    client.get_token()
    return lambda: client.get_token().access_token


def floor(url: str, _: int) -> Callable[[], object]:
    """Return the least that a cache can be: a function that reads an attribute and the clock."""
    held = url

    def read() -> object:
        time.monotonic()
        return held

    return lambda: read()


def _secrets_client() -> Any:
    return boto3.session.Session().client("secretsmanager")


def refreshable(_: str, __: int) -> Callable[[], object]:
    """Return botocore's own cache of what expires, with the secret as its source."""
    client = _secrets_client()

    def refresh() -> dict[str, str]:
        document = json.loads(client.get_secret_value(SecretId=TOKEN_SECRET)["SecretString"])
        expiry = datetime.fromtimestamp(document["expires_at"], UTC).isoformat()
        return {"access_key": document["access_token"], "secret_key": "-", "token": "-", "expiry_time": expiry}

    credentials = RefreshableCredentials.create_from_metadata(refresh(), refresh, "secret")
    return lambda: credentials.get_frozen_credentials().access_key


def caching(_: str, life_seconds: int) -> Callable[[], object]:
    cache = SecretCache(SecretCacheConfig(secret_refresh_interval=life_seconds), _secrets_client())
    cache.get_secret_string(TOKEN_SECRET)
    return lambda: json.loads(cache.get_secret_string(TOKEN_SECRET))["access_token"]


def powertools(_: str, life_seconds: int) -> Callable[[], object]:
    provider: Any = SecretsProvider(boto3_client=_secrets_client())
    provider.get(TOKEN_SECRET, transform="json", max_age=life_seconds)
    return lambda: provider.get(TOKEN_SECRET, transform="json", max_age=life_seconds)["access_token"]


def _authlib_session(url: str) -> OAuth2Session:
    session = OAuth2Session(**CLIENT, token_endpoint=url + TOKEN_PATH, grant_type="client_credentials")
    session.fetch_token()
    return session


def authlib(url: str, _: int) -> Callable[[], object]:
    session = _authlib_session(url)

    def call() -> object:
        session.ensure_active_token(session.token)
        return session.token["access_token"]

    return call


def _google_credentials(url: str) -> google.oauth2.credentials.Credentials:
    """Return credentials with a `refresh_handler`, which is the way to a token endpoint that is not Google's."""

    def refresh(_: Any, scopes: Any) -> tuple[str, datetime]:  # noqa: ARG001
        answer = requests.post(url + TOKEN_PATH, data={"grant_type": "client_credentials"} | CLIENT, timeout=60)
        answer.raise_for_status()
        life = timedelta(seconds=answer.json()["expires_in"])
        # google-auth only knows times without a zone.
        return answer.json()["access_token"], (datetime.now(UTC) + life).replace(tzinfo=None)

    token, expiry = refresh(None, None)
    return google.oauth2.credentials.Credentials(token, expiry=expiry, refresh_handler=refresh)


def our_request(url: str, _: int) -> Callable[[], object]:
    client = TokenClient()
    client.get_token()
    return lambda: requests.get(url + API_PATH, auth=TalendAuth(client), timeout=TIMEOUT_SECONDS).status_code


def authlib_request(url: str, _: int) -> Callable[[], object]:
    session = _authlib_session(url)
    return lambda: session.get(url + API_PATH, timeout=TIMEOUT_SECONDS).status_code


def google_request(url: str, _: int) -> Callable[[], object]:
    credentials = _google_credentials(url)

    def call() -> object:
        with AuthorizedSession(credentials) as session:
            return session.get(url + API_PATH, timeout=TIMEOUT_SECONDS).status_code

    return call
