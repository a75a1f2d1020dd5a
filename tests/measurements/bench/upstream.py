"""Stand in for all that consumers and rotators call, in a process of its own.

It is Secrets Manager, DynamoDB, the `renew` function, the token endpoint, and an API that accepts a token until it
expires or is revoked.
"""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import secrets
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.managers import BaseManager
from typing import Any

from loopback import HttpHandler, LoopbackServer

TOKEN_SECRET = "talend/default/token"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:talend/default/token-abcdef"
TOKEN_PATH, API_PATH = "/security/oauth/token", "/api"
# A token of Talend is about as long.
SIGNATURE_BYTES = 525


class _Handler(HttpHandler):
    server: Upstream
    # The head and the body of an answer leave together.
    wbufsize = -1

    def answer(self, body: bytes) -> None:
        operation = self.headers.get("X-Amz-Target", self.path).rpartition(".")[2]
        access_token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        status, members = self.server.answer(operation, access_token, body)
        self.send(status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(members).encode())


class Upstream(LoopbackServer):
    """It forgets what rotators write, so that each rotation finds the same."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self._latency_seconds = 0.0
        self._life_seconds = 0
        self._document: dict[str, Any] = {}
        self._working: dict[str, int] = {}
        self._operations: list[str] = []
        self.start()
        threading.Thread(target=_end_with_parent, daemon=True).start()

    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def delay(self, seconds: float) -> None:
        """Answer everything but the API after so long."""
        self._latency_seconds = seconds

    def publish(self, life_seconds: int, age_seconds: int = 0) -> str:
        """Publish a token of that age, and return its version. Later tokens are valid for as long."""
        self._life_seconds = life_seconds
        self._document = self._issue(age_seconds) | {"version_id": str(uuid.uuid4())}
        return str(self._document["version_id"])

    def revoke(self) -> None:
        """Revoke every token."""
        self._working.clear()

    def works(self, access_token: str) -> bool:
        return time.time() < self._working.get(access_token, 0)

    def take_operations(self) -> list[str]:
        """Return the requests since the last time, but not those of the API."""
        taken, self._operations = self._operations, []
        return taken

    def _issue(self, age_seconds: int = 0) -> dict[str, Any]:
        """Return the members of a token's document. Its signature is not valid."""
        issued_at = int(time.time()) - age_seconds
        expires_at = issued_at + self._life_seconds
        parts = (b'{"alg":"RS256"}', json.dumps({"iat": issued_at, "exp": expires_at}).encode())
        head, claims = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        access_token = f"{head}.{claims}.{secrets.token_urlsafe(SIGNATURE_BYTES)}"
        self._working[access_token] = expires_at
        times = {"issued_at": issued_at, "expires_at": expires_at}
        return {"access_token": access_token, "token_type": "Bearer", **times, "api_url": self.url()}

    def answer(self, operation: str, access_token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and members of the answer to a request of the measured programs."""
        if operation == API_PATH:
            return 200 if self.works(access_token) else 401, {}
        self._operations.append(operation)
        time.sleep(self._latency_seconds)
        if operation == TOKEN_PATH:
            return 200, self._issue() | {"expires_in": self._life_seconds}
        if operation.endswith("/invocations"):
            self.publish(self._life_seconds)
            return 200, {"outcome": "rotated"}
        return self._aws(operation, json.loads(body))

    def _aws(self, operation: str, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and members for an operation of Secrets Manager or DynamoDB."""
        version = self._document["version_id"]
        # DynamoDB's clients ignore the names.
        members: dict[str, Any] = {"ARN": ARN, "Name": question.get("SecretId", "")}
        stages = ["AWSCURRENT", "AWSPENDING"]
        created = {"VersionId": version, "CreatedDate": self._document["issued_at"]}
        match operation:
            case "GetSecretValue" if question.get("VersionId", version) != version:
                return 400, {"__type": "ResourceNotFoundException", "Message": "There is no such version."}
            case "GetSecretValue":
                is_token = question["SecretId"] == TOKEN_SECRET
                text = json.dumps(self._document) if is_token else "client-id:client-secret"
                members |= {**created, "VersionStages": stages, "SecretString": text}
            case "DescribeSecret":
                members |= {"RotationEnabled": True, "VersionIdsToStages": {version: stages}}
            case "PutSecretValue":
                stages = question.get("VersionStages", ["AWSCURRENT"])
                members |= {"VersionId": question["ClientRequestToken"], "VersionStages": stages}
            case "ListSecretVersionIds":
                members["Versions"] = [created]
        return 200, members


def _end_with_parent() -> None:
    """End this process when the one that started it has been killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@contextmanager
def running_upstream() -> Iterator[Upstream]:
    """Start it, and yield a proxy of it."""
    BaseManager.register("upstream", Upstream)
    # A copy of this process would have its threads' locks, but not its threads.
    with BaseManager(ctx=multiprocessing.get_context("spawn")) as manager:
        yield manager.upstream()  # type: ignore[attr-defined]


def environment(upstream: Upstream) -> dict[str, str]:
    """Return what consumers and functions are started with."""
    return {
        "AWS_ENDPOINT_URL": upstream.url(),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "no_proxy": "127.0.0.1",
        "PATH": os.environ["PATH"],
        # Those of a consumer.
        "AUTHLIB_INSECURE_TRANSPORT": "1",
        "TALEND_TOKEN_SECRET": TOKEN_SECRET,
        "TALEND_RENEW_FUNCTION": "talend-token-renew",
        # Those of the functions.
        "AWS_LAMBDA_FUNCTION_NAME": "talend-token-rotate",
        "TALEND_API_URL": upstream.url(),
        "SECRET_PREFIX": "talend",
        "SCHEDULE_EXPRESSION": "rate(25 minutes)",
        "LOCK_TABLE": "locks",
        "STACK_NAME": "talend-token",
    }
