"""Answers a rotator's calls from memory, cheaply and alike: `python -m bench.rotation_server`, in a process of its own.

Secrets Manager, DynamoDB and a token endpoint, on a port each, as each has a host of its own. It keeps nothing: the
published token is always one of 25 minutes ago, and a version that is asked for by its id does not exist.
Its first line of output names the ports. On its standard input it takes `latency SECONDS`, which every answer waits for
from then on; `record`, and `take`, for the requests in between. It answers each line, and ends with that input.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

SERVICES = ("secretsmanager", "dynamodb", "token endpoint")
AGE_SECONDS, LIFE_SECONDS = 1500, 1800
_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:talend/default/token-abcdef"
_PUBLISHED, _BEFORE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
# What tokens of Talend are long, about.
_PADDING = "x" * 700


def access_token(issued_at: int) -> str:
    """A JWT without a valid signature."""
    parts = (b'{"alg":"RS256"}', json.dumps({"iat": issued_at, "exp": issued_at + LIFE_SECONDS}).encode())
    head, claims = (base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    return f"{head}.{claims}.{_PADDING}"


def token_document(issued_at: int, api_url: str) -> str:
    """What the token secret holds."""
    times = {"issued_at": issued_at, "expires_at": issued_at + LIFE_SECONDS}
    members = {"access_token": access_token(issued_at), "token_type": "Bearer", **times, "api_url": api_url}
    return json.dumps({**members, "version_id": _PUBLISHED})


def answer_to(operation: str, question: Mapping[str, Any], api_url: str) -> tuple[int, dict[str, Any]]:
    """Status and body; for the token endpoint the operation is empty."""
    now = int(time.time())
    names = {"ARN": _ARN, "Name": question.get("SecretId", "")}
    match operation:
        case "":
            return 200, {"access_token": access_token(now), "token_type": "Bearer", "expires_in": LIFE_SECONDS}
        case "GetSecretValue" if "VersionId" in question:
            return 400, {"__type": "ResourceNotFoundException", "Message": "no such version"}
        case "GetSecretValue":
            of_token = str(names["Name"]).endswith("/token")
            text = token_document(now - AGE_SECONDS, api_url) if of_token else "client-id:client-secret"
            stages = ["AWSCURRENT", "AWSPENDING"]
            held = {"VersionId": _PUBLISHED, "VersionStages": stages, "SecretString": text}
            return 200, {**names, **held, "CreatedDate": now - AGE_SECONDS}
        case "DescribeSecret":
            stages_of = {_PUBLISHED: ["AWSCURRENT"], _BEFORE: ["AWSPREVIOUS"]}
            return 200, {**names, "RotationEnabled": True, "VersionIdsToStages": stages_of}
        case "PutSecretValue":
            stages = question.get("VersionStages", ["AWSCURRENT"])
            return 200, {**names, "VersionId": question["ClientRequestToken"], "VersionStages": stages}
        case "UpdateSecretVersionStage":
            return 200, names
        case "ListSecretVersionIds":
            return 200, {**names, "Versions": [{"VersionId": _PUBLISHED, "CreatedDate": now - AGE_SECONDS}]}
        case "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem":
            return 200, {}
    return 400, {"__type": "UnknownOperationException", "Message": operation}


class Exchange(asyncio.Protocol):
    """One kept connection; its client never sends a second request before it has the first one's answer."""

    api_url = ""
    latency_seconds = 0.0
    recorded: list[tuple[int, str]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
        headers = {name.lower(): value.strip() for name, _, value in lines}
        if len(body) < int(headers.get(b"content-length", 0)):
            return
        if Exchange.recorded is not None:
            port = self._transport.get_extra_info("sockname")[1]
            Exchange.recorded.append((port, base64.b64encode(self._received).decode()))
        self._received = b""
        target = headers.get(b"x-amz-target", b"").decode()
        status, members = answer_to(target.rpartition(".")[2], json.loads(body or b"{}"), self.api_url)
        content = json.dumps(members).encode()
        kind = "application/x-amz-json-1.1" if target else "application/json"
        answer = f"HTTP/1.1 {status} Answer\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        if self.latency_seconds:
            asyncio.get_running_loop().call_later(
                self.latency_seconds, self._transport.write, answer.encode() + content
            )
        else:
            self._transport.write(answer.encode() + content)


async def serve() -> None:
    """Serve until the end of standard input."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Exchange, "127.0.0.1", 0) for _ in SERVICES]
    ports = dict(zip(SERVICES, (server.sockets[0].getsockname()[1] for server in servers), strict=True))
    Exchange.api_url = f"http://127.0.0.1:{ports['token endpoint']}"
    gc.freeze()
    print(json.dumps(ports), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = None
        match line.split():
            case ["latency", seconds]:
                Exchange.latency_seconds = float(seconds)
            case ["record"]:
                Exchange.recorded = []
            case ["take"]:
                answer, Exchange.recorded = Exchange.recorded, None
        # Also where there is nothing to say: who asked can go on then.
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
