"""Stand in for all that consumers and rotators call: `python -m bench.upstream_server`, in a process of its own.

It is Secrets Manager, DynamoDB, the `renew` function, the token endpoint, and an API that accepts a token until it
expires or is revoked. The first line that it prints is its URL. Each line of its standard input is a list in JSON: the
name of a method of `Upstream`, and arguments. It answers with the result, and ends with its input.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import secrets
import sys
import time
import uuid
from typing import Any

from aiohttp import web

TOKEN_SECRET = "talend/default/token"
ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:talend/default/token-abcdef"
# A token of Talend is about as long.
SIGNATURE_BYTES = 525


class Upstream:
    """The state of the server. It forgets what rotators write, so that each rotation finds the same."""

    def __init__(self) -> None:
        self.url = ""
        self._latency_seconds = 0.0
        self._life_seconds = 0
        self._document: dict[str, Any] = {}
        self._working: dict[str, int] = {}
        self._requests: list[tuple[str, str]] = []

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

    def working(self) -> dict[str, int]:
        """Return when each token expires that is not revoked."""
        return self._working

    def take_requests(self) -> list[tuple[str, str]]:
        """Return operation and bytes, in base64, of each request since the last time, but not the API's."""
        taken, self._requests = self._requests, []
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
        return {"access_token": access_token, "token_type": "Bearer", **times, "api_url": self.url}

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a request of the measured programs."""
        body = await request.read()
        if request.path == "/api":
            expires_at = self._working.get(request.headers.get("Authorization", "").removeprefix("Bearer "), 0)
            return web.json_response([], status=200 if time.time() < expires_at else 401)
        operation = request.headers.get("X-Amz-Target", request.path).rpartition(".")[2]
        lines = [f"{request.method} {request.path_qs} HTTP/1.1".encode()]
        lines += [name + b": " + value for name, value in request.raw_headers]
        self._requests.append((operation, base64.b64encode(b"\r\n".join([*lines, b"", body])).decode()))
        await asyncio.sleep(self._latency_seconds)
        if operation.startswith("/security"):
            issued = self._issue()
            members = {"access_token": issued["access_token"], "token_type": "Bearer", "expires_in": self._life_seconds}
            return web.json_response(members)
        if operation.startswith("/2015-03-31/functions"):
            self.publish(self._life_seconds)
            return web.json_response({"outcome": "rotated"})
        status, members = self._aws(operation, json.loads(body))
        return web.json_response(members, status=status, content_type="application/x-amz-json-1.1")

    def _aws(self, operation: str, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body for an operation of Secrets Manager or DynamoDB."""
        version = self._document["version_id"]
        names = {"ARN": ARN, "Name": question.get("SecretId", "")}
        stages = ["AWSCURRENT", "AWSPENDING"]
        created = {"VersionId": version, "CreatedDate": self._document["issued_at"]}
        match operation:
            case "GetSecretValue" if question.get("VersionId", version) != version:
                return 400, {"__type": "ResourceNotFoundException", "Message": "There is no such version."}
            case "GetSecretValue":
                is_token = question["SecretId"] == TOKEN_SECRET
                text = json.dumps(self._document) if is_token else "client-id:client-secret"
                return 200, {**names, **created, "VersionStages": stages, "SecretString": text}
            case "DescribeSecret":
                return 200, {**names, "RotationEnabled": True, "VersionIdsToStages": {version: stages}}
            case "PutSecretValue":
                stages = question.get("VersionStages", ["AWSCURRENT"])
                return 200, {**names, "VersionId": question["ClientRequestToken"], "VersionStages": stages}
            case "ListSecretVersionIds":
                return 200, {**names, "Versions": [created]}
        # DynamoDB's clients ignore the names.
        return 200, names


async def serve() -> None:
    """Serve until the end of standard input."""
    upstream = Upstream()
    handler = web.Server(upstream.answer, access_log=None)
    server = await asyncio.get_running_loop().create_server(handler, "127.0.0.1", 0, backlog=1024)
    # The collector would stop for what lives as long as the server.
    gc.freeze()
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(json.dumps(upstream.url), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        method, *arguments = json.loads(line)
        print(json.dumps(getattr(upstream, method)(*arguments)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
