"""What a consumer writes around a cache that does nothing about a 401."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import requests

from bench.upstream import RENEW_FUNCTION

# Long enough that only the contestant ends a call.
TIMEOUT_SECONDS = 300


def by_hand(url: str, read: Callable[[], Any], read_again: Callable[[], Any]) -> Callable[[], int]:
    """Calls the API; on a 401 has the token renewed, reads again past the cache, and repeats the call.

    `read` and `read_again` give the token document. The result is the last status.
    """
    functions = boto3.session.Session().client("lambda")

    def get(document: Any) -> int:
        headers = {"Authorization": f"Bearer {document['access_token']}"}
        return requests.get(url, headers=headers, timeout=TIMEOUT_SECONDS).status_code

    def call() -> int:
        document = read()
        if (status := get(document)) != 401:
            return status
        event = {"rejected_version_id": document["version_id"]}
        answer = json.load(functions.invoke(FunctionName=RENEW_FUNCTION, Payload=json.dumps(event))["Payload"])
        if answer.get("outcome") not in ("rotated", "superseded"):
            raise RuntimeError(f"the token was not renewed: {answer.get('outcome') or answer.get('errorMessage')}")
        return get(read_again())

    return call
