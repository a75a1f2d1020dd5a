"""Requests and responses, apart from the sockets that carry them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message


@dataclass(frozen=True)
class Request:
    """One HTTP request; `path` has no query. Members that may hold a secret have no printable form."""

    method: str
    path: str
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)

    def authorization(self, scheme: str) -> str:
        """Return what follows the scheme in `Authorization`, or nothing if that has another scheme."""
        found, _, credentials = self.headers.get("Authorization", "").partition(" ")
        return credentials if found == scheme else ""


@dataclass(frozen=True)
class Response:
    """One HTTP response. `token_sha256` is for the journal and is not sent."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    token_sha256: str | None = None


def json_response(status: int, value: object, *, token_sha256: str | None = None) -> Response:
    """Return a response with `value` as its JSON body."""
    return Response(status, json.dumps(value).encode(), {"Content-Type": "application/json"}, token_sha256)
