"""The faults of the token endpoint.

A fault changes either the answer or how it is sent. If it changes only the sending, the endpoint has issued a token,
which gets lost on its way.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, override

from talend_simulator.connection import Connection
from talend_simulator.messages import Request, Response, json_response
from talend_simulator.token_endpoint import TokenEndpoint

_CHUNK_BYTES = 65_536


@dataclass(frozen=True)
class Fault:
    """Answers and sends as if nothing were wrong. Each kind overrides one of the two."""

    kind: ClassVar[str] = ""

    @property
    def is_silent(self) -> bool:
        """Return whether not even a status line is sent."""
        return False

    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        return endpoint.answer(request)

    def send(self, response: Response, connection: Connection) -> None:
        connection.send(response)


# --- what is answered -------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer(Fault):
    """A status with any body and headers, such as `{"Retry-After": "2"}` or a date there."""

    kind: ClassVar[str] = "answer"
    status: int
    body: str | bytes = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return Response(self.status, body, self.headers)


@dataclass(frozen=True)
class JsonAnswer(Fault):
    """Any JSON value: an odd `token_type`, `expires_in` or `access_token`, or no object at all."""

    kind: ClassVar[str] = "json"
    value: object = field(repr=False)
    status: int = 200

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        return json_response(self.status, self.value)


@dataclass(frozen=True)
class HtmlAnswer(Fault):
    """A page such as a proxy or a login form sends, with a status that may say that all is well."""

    kind: ClassVar[str] = "html"
    status: int = 200

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        page = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"
        return Response(self.status, page, {"Content-Type": "text/html; charset=utf-8"})


@dataclass(frozen=True)
class Redirect(Fault):
    """Sends the client, and with it the credentials if it is careless, to another URL."""

    kind: ClassVar[str] = "redirect"
    location: str
    status: int = 307

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        return Response(self.status, headers={"Location": self.location})


@dataclass(frozen=True)
class SameToken(Fault):
    """The account's last token once more while it has not expired, even a revoked one, with the life that is left."""

    kind: ClassVar[str] = "same_token"

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        return endpoint.answer(request, same_token_again=True)


@dataclass(frozen=True)
class Amend(Fault):
    """A real, working token in an answer of which some members are replaced or left out."""

    kind: ClassVar[str] = "amend"
    members: Mapping[str, object] = field(default_factory=dict, repr=False)
    without: tuple[str, ...] = ()

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        response = endpoint.answer(request)
        if response.status != 200:
            return response
        members = {**json.loads(response.body), **self.members}
        kept = {name: value for name, value in members.items() if name not in self.without}
        return dataclasses.replace(response, body=json.dumps(kept).encode())


# --- how it is sent ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Truncate(Fault):
    """A complete HTTP message whose body ends after `keep_bytes`; None is half of it."""

    kind: ClassVar[str] = "truncate"
    keep_bytes: int | None = None

    @override
    def send(self, response: Response, connection: Connection) -> None:
        keep_bytes = len(response.body) // 2 if self.keep_bytes is None else self.keep_bytes
        connection.send(dataclasses.replace(response, body=response.body[:keep_bytes]))


@dataclass(frozen=True)
class Stall(Fault):
    """Sends nothing, or half of the body, and then waits until it is released or the client leaves."""

    kind: ClassVar[str] = "stall"
    inside_body: bool = False

    @override
    def send(self, response: Response, connection: Connection) -> None:
        if not self.inside_body:
            connection.wait()
            connection.send(response)
            return
        half = len(response.body) // 2
        connection.begin(response, len(response.body), response.body[:half])
        connection.wait()
        connection.write(response.body[half:])


@dataclass(frozen=True)
class Drip(Fault):
    """Sends the body a few bytes at a time, which keeps a client's read time-out from running out.

    Releasing it lets the next piece go at once.
    """

    kind: ClassVar[str] = "drip"
    interval_seconds: int | float = 0.1
    chunk_bytes: int = 1

    @override
    def send(self, response: Response, connection: Connection) -> None:
        connection.begin(response, len(response.body))
        for start in range(0, len(response.body), self.chunk_bytes):
            connection.wait(self.interval_seconds)
            connection.write(response.body[start : start + self.chunk_bytes])


@dataclass(frozen=True)
class Close(Fault):
    """Ends the connection in the ordinary way: before any answer, or after some bytes of the body."""

    kind: ClassVar[str] = "close"
    after_body_bytes: int | None = None

    @property
    @override
    def is_silent(self) -> bool:
        return self.after_body_bytes is None

    @override
    def send(self, response: Response, connection: Connection) -> None:
        if self.after_body_bytes is not None:
            connection.begin(response, len(response.body), response.body[: self.after_body_bytes])
        connection.close()


@dataclass(frozen=True)
class Reset(Close):
    """Like `Close`, with a TCP reset."""

    kind: ClassVar[str] = "reset"

    @override
    def send(self, response: Response, connection: Connection) -> None:
        super().send(response, connection)
        connection.reset()


@dataclass(frozen=True)
class Huge(Fault):
    """A JSON body of `body_bytes` with one very long `access_token`; its length is announced or not."""

    kind: ClassVar[str] = "huge"
    body_bytes: int = 100_000_000
    announced: bool = True

    @override
    def answer(self, endpoint: TokenEndpoint, request: Request) -> Response:
        return Response(200, headers={"Content-Type": "application/json"})

    @override
    def send(self, response: Response, connection: Connection) -> None:
        start, end = b'{"token_type": "Bearer", "access_token": "', b'"}'
        left = max(self.body_bytes - len(start) - len(end), 0)
        connection.begin(response, len(start) + left + len(end) if self.announced else None, start)
        while left:
            chunk = b"a" * min(left, _CHUNK_BYTES)
            connection.write(chunk)
            left -= len(chunk)
        connection.write(end)
