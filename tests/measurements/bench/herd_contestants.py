"""The contestants of `bench.herd`: each function gets its first token and returns the call to make many times.

On an expiry the call returns an access token, on a rejection the API's last status.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import requests
from google.auth.transport.requests import AuthorizedSession

from bench.by_hand import TIMEOUT_SECONDS, by_hand
from bench.contestants import (
    authlib_session,
    google_credentials,
    httpx_auth,
    powertools_provider,
    refreshable_credentials,
    secret_cache,
    secrets_client,
    talend_token_client,
)
from bench.upstream import SECRET_NAME, Upstream
from talend_token.requests import TalendAuth

# --- threads that meet an expired token ---


def ours(_: Upstream) -> Callable[[], object]:
    client = talend_token_client()
    client.get_token()
    return lambda: client.get_token().access_token


def double_checked_lock(_: Upstream) -> Callable[[], object]:
    """A lock that careful code takes by hand."""
    client, lock = secrets_client(), threading.Lock()

    def read() -> Any:
        return json.loads(client.get_secret_value(SecretId=SECRET_NAME)["SecretString"])

    held = [read()]

    def call() -> object:
        if held[0]["expires_at"] <= time.time():
            with lock:
                if held[0]["expires_at"] <= time.time():
                    held[0] = read()
        return held[0]["access_token"]

    return call


def refreshable(_: Upstream) -> Callable[[], object]:
    credentials = refreshable_credentials()
    return lambda: credentials.get_frozen_credentials().access_key


def caching(_: Upstream) -> Callable[[], object]:
    cache = secret_cache(refresh_interval_seconds=2)
    cache.get_secret_string(SECRET_NAME)
    return lambda: json.loads(cache.get_secret_string(SECRET_NAME))["access_token"]


def powertools(_: Upstream) -> Callable[[], object]:
    provider = powertools_provider()
    provider.get(SECRET_NAME, transform="json", max_age=1)

    def call() -> object:
        document: Any = provider.get(SECRET_NAME, transform="json")
        return document["access_token"]

    return call


def authlib(upstream: Upstream) -> Callable[[], object]:
    session = authlib_session(upstream)

    def call() -> object:
        session.ensure_active_token(session.token)
        return session.token["access_token"]

    return call


def google(upstream: Upstream) -> Callable[[], object]:
    credentials = google_credentials(upstream)

    def call() -> object:
        credentials.before_request(None, "GET", upstream.api_url, {})
        return credentials.token

    return call


def httpx_auth_flow(upstream: Upstream) -> Callable[[], object]:
    auth = httpx_auth(upstream)

    def call() -> object:
        request = next(auth.auth_flow(httpx.Request("GET", upstream.api_url)))
        return request.headers["Authorization"].removeprefix("Bearer ")

    call()
    return call


# --- threads that meet a rejected token ---


def ours_rejected(upstream: Upstream) -> Callable[[], object]:
    client = talend_token_client()
    auth = TalendAuth(client)
    client.get_token()

    def call() -> object:
        with requests.Session() as session:
            session.auth = auth
            return session.get(upstream.api_url, timeout=TIMEOUT_SECONDS).status_code

    return call


def two_requests(upstream: Upstream) -> Callable[[], object]:
    """The rejected request and its repetition cost this much without any token."""

    def call() -> object:
        with requests.Session() as session:
            session.get(upstream.api_url, timeout=TIMEOUT_SECONDS)
            return session.get(upstream.api_url, timeout=TIMEOUT_SECONDS).status_code

    return call


def authlib_rejected(upstream: Upstream) -> Callable[[], object]:
    session = authlib_session(upstream)
    return lambda: session.get(upstream.api_url, timeout=TIMEOUT_SECONDS).status_code


def google_rejected(upstream: Upstream) -> Callable[[], object]:
    credentials = google_credentials(upstream)

    def call() -> object:
        with AuthorizedSession(credentials) as session:
            return session.get(upstream.api_url, timeout=TIMEOUT_SECONDS).status_code

    return call


def powertools_rejected(upstream: Upstream) -> Callable[[], object]:
    provider = powertools_provider()

    def read(force: bool) -> Any:
        return provider.get(SECRET_NAME, transform="json", force_fetch=force)

    read(True)
    return by_hand(upstream.api_url, lambda: read(False), lambda: read(True))


def caching_rejected(upstream: Upstream) -> Callable[[], object]:
    cache = secret_cache()

    def read() -> Any:
        return json.loads(cache.get_secret_string(SECRET_NAME))

    def read_again() -> Any:
        cache.refresh_secret_now(SECRET_NAME)
        return read()

    read()
    return by_hand(upstream.api_url, read, read_again)
