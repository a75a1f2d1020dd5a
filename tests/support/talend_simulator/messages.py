"""Requests and responses, apart from the sockets that carry them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any


@dataclass(frozen=True)
class Request:
    """One HTTP request. What may hold a secret has no printable form."""

    method: str
    path: str
    source_address: str
    query: str = field(repr=False)
    headers: Message = field(repr=False)
    body: bytes = field(repr=False)

    def authorization(self, scheme: str) -> str | None:
        """What follows the scheme in `Authorization`, if that is the scheme (in any case, RFC 9110 section 11.1)."""
        found, _, credentials = self.headers.get("Authorization", "").partition(" ")
        return credentials.strip() if found.lower() == scheme.lower() else None

    def content_type(self) -> str:
        """The media type of the body in lower case, without its parameters."""
        return str(self.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object; `ValueError` if it is none."""
        try:
            value = json.loads(self.body)
        except RecursionError as error:
            raise ValueError("the body is nested too deeply") from error
        if not isinstance(value, dict):
            raise ValueError("the body is not a JSON object")
        return value


@dataclass(frozen=True)
class Response:
    """One HTTP response. `client_id` and `token_sha256` are for the journal and do not travel."""

    status: int
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    client_id: str | None = None
    token_sha256: str | None = None


def json_response(
    status: int,
    value: object,
    *,
    headers: Mapping[str, str] | None = None,
    token_sha256: str | None = None,
) -> Response:
    """A response with `value` as its JSON body."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    return Response(status, json.dumps(value).encode(), headers, token_sha256=token_sha256)
