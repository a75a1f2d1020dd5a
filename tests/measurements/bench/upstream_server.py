"""Stands in for all that a consumer calls: `python -m bench.upstream_server`, in a process of its own.

Secrets Manager with one secret, the renew function, an OAuth token endpoint, and an API that takes a token until it
expires or is revoked. It counts what it is asked, answers after a latency, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET_NAME = "talend/default/token"
# About the length of a Talend token.
TOKEN_BYTES = 600


@dataclass(frozen=True)
class Issued:
    """A token that the server made."""

    access_token: str
    issued_at: int
    expires_at: int


@dataclass
class Upstream:
    """The server's state: what is published, which tokens work, and what was asked."""

    latency_seconds: float = 0
    life_seconds: int = 1800
    url: str = ""
    current: str = ""
    versions: dict[str, Issued] = field(default_factory=dict)
    working: dict[str, Issued] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def issue(self) -> Issued:
        """Make a token that the API takes."""
        now = int(time.time())
        issued = Issued(secrets.token_urlsafe(TOKEN_BYTES), now, now + self.life_seconds)
        self.working[issued.access_token] = issued
        return issued

    def publish(self) -> None:
        """Make a token, and a version of the secret with it."""
        self.current = str(uuid.uuid4())
        self.versions[self.current] = self.issue()

    def document(self, version: str) -> str:
        """What the secret holds."""
        issued = self.versions[version]
        times = {"issued_at": issued.issued_at, "expires_at": issued.expires_at}
        members = {"access_token": issued.access_token, "token_type": "Bearer", **times, "api_url": self.url}
        return json.dumps({**members, "version_id": version})

    async def count(self, what: str) -> None:
        """Count a request, and let it wait."""
        self.counts[what] += 1
        await asyncio.sleep(self.latency_seconds)

    async def secrets_manager(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        question = json.loads(await request.read())
        await self.count(operation)
        answer: dict[str, Any] = {
            "ARN": f"arn:aws:secretsmanager:eu-central-1:123456789012:secret:{SECRET_NAME}-abcdef"
        }
        answer["Name"] = SECRET_NAME
        if operation == "DescribeSecret":
            answer["VersionIdsToStages"] = {self.current: ["AWSCURRENT"]}
        else:
            version = question.get("VersionId", self.current)
            answer |= {"VersionId": version, "SecretString": self.document(version), "VersionStages": ["AWSCURRENT"]}
        return web.json_response(answer, content_type="application/x-amz-json-1.1")

    async def renew(self, request: web.Request) -> web.Response:
        """The renew function: one renewal at a time; later callers learn that it is done."""
        rejected = json.loads(await request.read())
        self.counts["renew"] += 1
        async with self.renewing:
            outcome = "superseded"
            if self.current == rejected["rejected_version_id"]:
                await asyncio.sleep(self.latency_seconds)
                self.publish()
                outcome = "rotated"
        return web.json_response({"outcome": outcome})

    async def token_endpoint(self, request: web.Request) -> web.Response:
        await request.read()
        await self.count("token call")
        issued = self.issue()
        members = {"token_type": "Bearer", "expires_in": self.life_seconds}
        return web.json_response({"access_token": issued.access_token, **members})

    async def api(self, request: web.Request) -> web.Response:
        issued = self.working.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        works = issued is not None and time.time() < issued.expires_at
        return web.json_response([] if works else {"message": "Unauthorized"}, status=200 if works else 401)

    async def control(self, request: web.Request) -> web.Response:
        """Settings and actions of the benchmark; answers with the counts and the tokens that work."""
        asked = json.loads(await request.read() or "{}")
        self.latency_seconds = asked.get("latency_seconds", self.latency_seconds)
        self.life_seconds = asked.get("life_seconds", self.life_seconds)
        if asked.get("revoke"):
            self.working.clear()
        if asked.get("publish"):
            self.publish()
        answer = {"counts": dict(self.counts), "working": {t: i.expires_at for t, i in self.working.items()}}
        if asked.get("reset"):
            self.counts.clear()
        return web.json_response(answer)


async def serve() -> None:
    """Serve until the end of standard input."""
    upstream = Upstream()
    application = web.Application()
    application.router.add_post("/", upstream.secrets_manager)
    application.router.add_post("/2015-03-31/functions/{name}/invocations", upstream.renew)
    application.router.add_post("/token", upstream.token_endpoint)
    application.router.add_get("/api", upstream.api)
    application.router.add_post("/control", upstream.control)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    host, port = runner.addresses[0][:2]
    upstream.url = f"http://{host}:{port}"
    upstream.publish()
    print(upstream.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve())
