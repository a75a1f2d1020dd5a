"""Stands in for Secrets Manager, the renew function and a Talend API, on one loopback port, with its own clock."""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

from loopback import HttpHandler, LoopbackServer

SECRET = "talend-token/default/token"
FUNCTION = "renew"
# What the API's URLs have as host. The same server under another name is another host, for which no token is.
HOST = "127.0.0.1"
OTHER_HOST = "localhost"
BODY = "a body that arrives whole each time"
# For all requests of a storm to arrive, if they were sent at once.
_HOLD_SECONDS = 2
_LOCAL_TTL_SECONDS = 300

Reply = tuple[int, dict[str, Any]]


class World:
    """The state that a scenario sets, and a record of what the consumer did."""

    def __init__(self) -> None:
        self.port = 0
        self.now = float(int(time.time()))
        self.tokens: list[dict[str, Any]] = []
        # The settings of a scenario's step `world`.
        self.rejected: list[int] = []
        self.api = "up"
        self.secrets_manager = "up"
        self.renew = "rotated"
        self.retry_after_seconds = 0
        self.stale_reads = 0
        self.hold = 0
        self.local_reader = "provider"
        # What happened since the last look.
        self.calls: Counter[str] = Counter()
        self.reads = 0
        self.renewals = 0
        self.problems: list[str] = []
        self._refused_versions: set[str] = set()
        self._cached: dict[str, tuple[float, Reply]] = {}
        self._lock = threading.Condition()

    @property
    def url(self) -> str:
        """The base URL of the API, and the endpoint of AWS."""
        return f"http://{HOST}:{self.port}"

    def publish(self, valid_for: int = 1800, age: int = 0, host: str = HOST) -> None:
        """Do what the rotator does. Tokens are counted: 1, 2, ..."""
        issued_at = int(self.now) - age
        access_token = f"ey{secrets.token_urlsafe(40)}"
        sys.audit("secret.minted", access_token)
        token = {"access_token": access_token, "token_type": "Bearer", "api_url": f"http://{host}:{self.port}"}
        times = {"issued_at": issued_at, "expires_at": issued_at + valid_for}
        self.tokens.append({**token, **times, "version_id": str(uuid.uuid4())})

    def take_counts(self) -> dict[str, Any]:
        """Return what happened since the last time."""
        with self._lock:
            counts = {"calls": dict(sorted(self.calls.items())), "reads": self.reads, "renewals": self.renewals}
            self.calls, self.reads, self.renewals = Counter(), 0, 0
            return counts

    def answer(self, method: str, path: str, headers: Message, body: str) -> Reply:
        """Answer one request; a status of 307 has the new URL as its body's `location`."""
        with self._lock:
            if headers.get("X-Amz-Target") == "secretsmanager.GetSecretValue":
                return self._secret(json.loads(body).get("VersionId"))
            if path.startswith("/secretsmanager/get"):
                return self._read_locally(parse_qs(urlsplit(path).query), headers)
            if path == f"/2015-03-31/functions/{FUNCTION}/invocations":
                return self._renew(json.loads(body))
            return self._api(method, headers, body)

    # --- AWS ---

    def _secret(self, version_id: str | None = None) -> Reply:
        self.reads += 1
        if self.secrets_manager == "down" or not self.tokens:
            return 400, {"__type": "DecryptionFailure", "message": "the key cannot be used"}
        shown = self.tokens[-1]
        if self.stale_reads and len(self.tokens) > 1:
            self.stale_reads -= 1
            shown = self.tokens[-2]
        if version_id:
            shown = next(token for token in self.tokens if token["version_id"] == version_id)
        left_out = "access_token" if self.secrets_manager == "no token" else ""
        text = json.dumps({name: value for name, value in shown.items() if name != left_out})
        # Parsers quote what they cannot parse.
        text = shown["access_token"] if self.secrets_manager == "malformed" else text
        return 200, {"Name": SECRET, "VersionId": shown["version_id"], "SecretString": text}

    def _read_locally(self, query: dict[str, list[str]], headers: Message) -> Reply:
        """As the AWS Workload Credentials Provider; the Lambda extension is the same without `refreshNow`."""
        if headers.get("X-Aws-Parameters-Secrets-Token") != "session":
            return 403, {"message": "Bad Token"}
        refresh = ["refreshNow"] if self.local_reader == "provider" else []
        if "X-Forwarded-For" in headers or query.keys() - {"secretId", "versionId", "versionStage", *refresh}:
            return 400, {"message": "Forwarded, or an unknown parameter"}
        version_id = query.get("versionId", [""])[0]
        read_at, reply = self._cached.get(version_id, (float("-inf"), (0, {})))
        if query.get("refreshNow") == ["true"] or self.now >= read_at + _LOCAL_TTL_SECONDS:
            reply = self._secret(version_id)
            if reply[0] == 200:
                self._cached[version_id] = self.now, reply
        return reply

    def _renew(self, event: dict[str, Any]) -> Reply:
        self.renewals += 1
        rejected = event.get("rejected_version_id")
        if rejected not in self._refused_versions:
            self.problems.append("renew was invoked for a version that the API had not answered with a 401")
        if event.get("account", "default") != "default" or event.keys() - {"account", "rejected_version_id"}:
            self.problems.append("renew was invoked with an event that it refuses")
        outcome, published = self.renew, self.tokens[-1]
        if outcome == "failed":
            return 200, {"errorType": "Exception", "errorMessage": "the token endpoint is down"}
        if rejected != published["version_id"]:
            outcome = "superseded"
        elif outcome in ("rotated", "in_progress"):
            self.publish()
        answer = {"outcome": outcome, "account": "default", "retry_after_seconds": self.retry_after_seconds}
        version_id = None if outcome == "in_progress" else self.tokens[-1]["version_id"]
        return 200, answer | {"version_id": version_id, "expires_at": None}

    # --- Talend ---

    def _api(self, method: str, headers: Message, body: str) -> Reply:
        bearer = headers.get("Authorization", "").removeprefix("Bearer ")
        numbered = ((number, token) for number, token in enumerate(self.tokens, 1) if token["access_token"] == bearer)
        number, token = next(numbered, (None, None))
        if token and urlsplit(token["api_url"]).netloc != headers.get("Host"):
            self.problems.append("a token was sent to another host")
        if token and self.now >= token["expires_at"]:
            self.problems.append(f"token {number} was sent after it had expired")
        if method == "POST" and body != BODY:
            self.problems.append("a request arrived without its whole body")
        if self.hold:
            # The requests of a storm wait for each other, so that all of them have the same token.
            self.hold -= 1
            self._lock.notify_all()
            if not self._lock.wait_for(lambda: self.hold <= 0, _HOLD_SECONDS):
                self.hold = 0
        status = 401
        if token:
            accepted = 401 if number in self.rejected else 200
            status = {"redirects": 307, "forbids": 403, "rejects": 401}.get(self.api, accepted)
            if status == 401:
                self._refused_versions.add(token["version_id"])
        self.calls[f"{number}:{status}"] += 1
        return status, {"location": f"http://{OTHER_HOST}:{self.port}/elsewhere"} if status == 307 else {}


@contextmanager
def stand_in() -> Iterator[World]:
    """Run a server; yields its world."""
    world = World()

    class Handler(HttpHandler):
        def answer(self, body: bytes) -> None:
            status, members = world.answer(self.command, self.path, self.headers, body.decode())
            fields = {"Date": formatdate(world.now, usegmt=True), "Content-Type": "application/x-amz-json-1.1"}
            if "location" in members:
                fields["Location"] = members["location"]
            if "errorType" in members:
                fields["X-Amz-Function-Error"] = "Unhandled"
            self.send(status, fields, json.dumps(members).encode())

    with LoopbackServer(Handler, HOST) as server:
        world.port = server.port
        yield world
