"""The faults of the token endpoint.

A fault changes either the answer or how it is sent. If it changes only the sending, the endpoint has issued a token,
which gets lost on its way.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import override

from talend_simulator.connection import Connection
from talend_simulator.endpoints import Endpoints
from talend_simulator.messages import Request, Response


@dataclass(frozen=True)
class Fault:
    """Answers and sends as if nothing were wrong. Each kind overrides one of the two."""

    def answer(self, endpoints: Endpoints, request: Request) -> Response:
        return endpoints.issue_token(request)

    def send(self, response: Response, connection: Connection) -> None:
        connection.send(response)


class FaultQueue:
    """Faults that wait for their turn. When none is left all is well again."""

    def __init__(self) -> None:
        self._faults: Iterator[Fault] = iter(())

    def add(self, fault: Fault, *, times: int | None = 1) -> None:
        """Apply the fault to the next `times` requests after those queued already; None: until `clear`."""
        turns = itertools.repeat(fault) if times is None else itertools.repeat(fault, times)
        self._faults = itertools.chain(self._faults, turns)

    def take(self) -> Fault:
        """Return the fault for one request."""
        return next(self._faults, Fault())

    def clear(self) -> None:
        self._faults = iter(())


# --- what is answered -------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer(Fault):
    """A status with any body and headers, such as `{"Retry-After": "2"}` or a date there."""

    status: int
    body: str | bytes = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)

    @override
    def answer(self, endpoints: Endpoints, request: Request) -> Response:
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return Response(self.status, body, self.headers)


class JsonAnswer(Answer):
    """Any JSON value: an odd `token_type`, `expires_in` or `access_token`, or a value that is not an object."""

    def __init__(self, value: object, status: int = 200) -> None:
        super().__init__(status, json.dumps(value), {"Content-Type": "application/json"})


class HtmlAnswer(Answer):
    """A page such as a proxy or a login form sends, with the status of a success."""

    def __init__(self) -> None:
        page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in</body></html>\n"
        super().__init__(200, page, {"Content-Type": "text/html; charset=utf-8"})


class Redirect(Answer):
    """Sends the client, and with it the credentials if it is careless, to another URL."""

    def __init__(self, location: str, status: int = 307) -> None:
        super().__init__(status, headers={"Location": location})


@dataclass(frozen=True)
class SameToken(Fault):
    """The account's last token once more while it has not expired, even a revoked one, with the life that is left."""

    def answer(self, endpoints: Endpoints, request: Request) -> Response:
        return endpoints.issue_token(request, same_token_again=True)


@dataclass(frozen=True)
class Amend(Fault):
    """A valid token in an answer of which some members are replaced or left out."""

    members: Mapping[str, object] = field(default_factory=dict, repr=False)
    without: tuple[str, ...] = ()

    def answer(self, endpoints: Endpoints, request: Request) -> Response:
        response = endpoints.issue_token(request)
        members = {**json.loads(response.body), **self.members}
        kept = {name: value for name, value in members.items() if name not in self.without}
        return dataclasses.replace(response, body=json.dumps(kept).encode())


# --- how it is sent ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Truncate(Fault):
    """A complete HTTP message with half of the body."""

    def send(self, response: Response, connection: Connection) -> None:
        half = len(response.body) // 2
        connection.send(dataclasses.replace(response, body=response.body[:half]))


@dataclass(frozen=True)
class Stall(Fault):
    """Sends nothing, or half of the body, and then waits until it is released or the client leaves."""

    inside_body: bool = False

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
    """Sends the body a few bytes at a time, which keeps a client's read time-out from running out."""

    interval_seconds: int | float = 0.1
    chunk_bytes: int = 1

    def send(self, response: Response, connection: Connection) -> None:
        connection.begin(response, len(response.body))
        for start in range(0, len(response.body), self.chunk_bytes):
            connection.wait(self.interval_seconds)
            connection.write(response.body[start : start + self.chunk_bytes])


@dataclass(frozen=True)
class Close(Fault):
    """Ends the connection in the ordinary way: before any answer, or after some bytes of the body."""

    after_body_bytes: int | None = None

    def send(self, response: Response, connection: Connection) -> None:
        if self.after_body_bytes is not None:
            connection.begin(response, len(response.body), response.body[: self.after_body_bytes])
        connection.close()


@dataclass(frozen=True)
class Reset(Close):
    """Ends the connection like `Close`, with a TCP reset."""

    def send(self, response: Response, connection: Connection) -> None:
        super().send(response, connection)
        connection.reset()


@dataclass(frozen=True)
class Huge(Fault):
    """A JSON body with an `access_token` of `token_bytes`; its length is announced or not."""

    token_bytes: int
    announced: bool = True

    def send(self, response: Response, connection: Connection) -> None:
        body = b'{"token_type": "Bearer", "access_token": "%b"}' % (b"a" * self.token_bytes)
        connection.begin(response, len(body) if self.announced else None, body)
