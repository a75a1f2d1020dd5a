"""Rows of the matrix: the body of a refusal, of which only a code that RFC 6749 section 5.2 registers is shown."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator

from doubles import marked
from faults.matrix.arming import always, cut_short
from faults.matrix.faults import Fault, failed
from faults.matrix.wire_faults import Hang, Wire, http, plain
from rotator.domain.errors import CredentialsRefused
from talend_simulator import Answer, JsonAnswer

# RFC 6749 section 5.2.
_CODES = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
)


def rows() -> Iterator[Fault]:
    told = {"error_description": marked("what a server says"), "error_uri": "https://elsewhere.invalid"}
    for number, code in enumerate(_CODES):
        status = (400, 401, 403)[number % 3]
        says = f"answered {status} ({code}) for the credentials in secret"
        refusal = failed(CredentialsRefused, 1, says, breaker=True)
        yield Fault(f"{status} with {code}", always(JsonAnswer(told | {"error": code}, status)), refusal)
    shown = failed(CredentialsRefused, 1, "answered 401 (invalid_client) for", breaker=True)
    body = json.dumps(told | {"error": "invalid_client"}).encode()
    forms: dict[str, Callable[[bytes], bytes]] = {
        "compressed": lambda _: _refusal(gzip.compress(body), "Content-Encoding: gzip"),
        "in UTF-16": lambda _: _refusal(body.decode().encode("utf-16")),
        "said to be a page": lambda _: _refusal(body, "Content-Type: text/html"),
    }
    for name, form in forms.items():
        yield Fault(f"401 with invalid_client, {name}", always(Wire(form)), shown)
    not_shown = failed(CredentialsRefused, 1, "answered 401 for the credentials in secret", breaker=True)
    bodies: dict[str, bytes] = {
        "a code that is not registered": json.dumps(told | {"error": marked("a code")}).encode(),
        "a code in capitals": json.dumps(told | {"error": "INVALID_CLIENT"}).encode(),
        "a code and more": json.dumps(told | {"error": f"invalid_client {marked('more')}"}).encode(),
        "a list of codes": json.dumps(told | {"error": ["invalid_client"]}).encode(),
        "an object as the code": json.dumps(told | {"error": {"code": "invalid_client"}}).encode(),
        "a code in another member": json.dumps(told | {"code": "invalid_client"}).encode(),
        "a list around the code": json.dumps([told | {"error": "invalid_client"}]).encode(),
        "a code in a page": b"<html>" + body + b"</html>",
        "a code in a form": b"error=invalid_client",
        "a code after too much": json.dumps(told | {"a": "b" * 300_000, "error": "invalid_client"}).encode(),
        "half of a code": body[: body.index(b"invalid_client") + 5],
        "deep nesting": b"[" * 100_000,
        "a code that is not UTF-8": body.replace(b"invalid_client", b"invalid_\xffclient"),
    }
    for name, body_of_no_use in bodies.items():
        yield Fault(f"401 with {name}", always(Answer(401, body_of_no_use)), not_shown)
    lie = Wire(lambda _: _refusal(body, "Content-Encoding: gzip"))
    yield Fault("401 with a code that is said to be compressed", always(lie), not_shown)
    bomb = gzip.compress(bytes(20_000_000))
    yield Fault("401 with a gzip bomb", always(Wire(lambda _: _refusal(bomb, "Content-Encoding: gzip"))), not_shown)
    hang = Hang(lambda _: plain(body, f"Content-Length: {len(body) + 1}", status_line="HTTP/1.1 401 Unauthorized"))
    # The head has to come in time, on a busy machine too.
    yield Fault("401 with a body that never ends", cut_short(hang, seconds=10.5), not_shown)


def _refusal(body: bytes, *fields: str) -> bytes:
    return http(body, *fields, status_line="HTTP/1.1 401 Unauthorized")
