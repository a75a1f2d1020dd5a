"""Rows of the matrix: the status that the token endpoint answers with, and what a refusal says.

A refusal shows its code only if RFC 6749 section 5.2 registers it.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from email.utils import formatdate

from doubles import marked
from faults.matrix.cases import Case
from faults.matrix.columns import ATTEMPTS, invalid, published, refused, unavailable
from faults.matrix.faults import Arm, Fault, Wire, by_text, each, http, plain, row, table
from talend_simulator import Answer, Close, JsonAnswer, Redirect, Reset

_FAILED = (500, 502, 503, 504)
_ODD = (201, 202, 204, 205, 206, 304, 402, 404, 405, 407, 408, 410, 413, 415, 418, 421, 425, 451, 501, 505, 599)
_DIGEST = {"WWW-Authenticate": 'Digest realm="talend", nonce="1"'}
_TOKEN = {"access_token": "one-of-a-201", "token_type": "Bearer", "expires_in": 1800}
_RETRY_AFTER_PAST_THE_DEADLINE = ("3600", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 20, "9" * 5000)
_RETRY_AFTER = (
    *(None, "2", "in two seconds", "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 01 Jan 0001 00:00:00 +2359"),
    *("Sun, 06 Nov 1994 08:49:37", "Thu, 99 Foo 99999 99:99:99 GMT", "", "-1", "1.5", "in a while", "\xb2", "Infinity"),
)
_BUSY = "HTTP/1.1 503 Busy"
_PASSING = {
    "503": Answer(503),
    "429 with Retry-After": Answer(429, headers={"Retry-After": "7"}),
    "reset": Reset(),
    "connection closed unanswered": Close(),
    "connection closed inside the body": Close(after_body_bytes=10),
    "connection closed after keep-alive": Wire(lambda _: http(b"", "Connection: keep-alive", status_line=_BUSY)),
}


def statuses() -> Iterator[Fault]:
    for status in (400, 401, 403):
        yield row(f"{status}", Answer(status), refused(f"answered {status} for the credentials in secret"))
    page = Answer(403, "<html>Access denied by the firewall</html>", {"Content-Type": "text/html"})
    yield row("403 with a page", page, refused("answered 403"))
    yield row("401 that asks for Digest", Answer(401, headers=_DIGEST), refused())
    for status in _FAILED:
        yield row(f"{status}", Answer(status), unavailable(f"answered {status} after {ATTEMPTS} attempts"))
    for status in _ODD:
        yield row(f"{status}", Answer(status), invalid(f"answered {status}"))
    yield row("201 with a token", JsonAnswer(_TOKEN, 201), invalid("answered 201"))
    yield row("206 of a token", JsonAnswer(_TOKEN, 206), invalid("answered 206"))
    for status in (300, 301, 302, 303, 307, 308):
        redirect = Redirect("https://elsewhere.invalid/security/oauth/token", status)
        yield row(f"{status} to another host", redirect, invalid(f"answered {status} for the credentials in secret"))
    yield row("307 to itself", lambda case: each(Redirect(case.world.talend.token_url))(case), invalid("answered 307"))

    too_late = unavailable(calls=1)
    yield from table("429 with Retry-After {}", too_late, by_text(_RETRY_AFTER_PAST_THE_DEADLINE), _too_many)
    waited_for = unavailable(f"answered 429 after {ATTEMPTS} attempts")
    yield from table("429 with Retry-After {}", waited_for, by_text(_RETRY_AFTER), _too_many)
    two = Wire(lambda _: http(b"", "Retry-After: 2", "Retry-After: 7200", status_line="HTTP/1.1 429 Too Many"))
    yield row("429 with two Retry-After headers", two, unavailable())
    yield row("503 with Retry-After", Answer(503, headers={"Retry-After": "5"}), unavailable())

    yield from table("{}, once", published(calls=2), _PASSING, lambda fault: each(fault, times=1))


def _too_many(retry_after: str | None) -> Arm:
    def arm(case: Case) -> None:
        value = formatdate(time.time() + 2, usegmt=True) if retry_after == "in two seconds" else retry_after
        each(Answer(429, headers={} if value is None else {"Retry-After": value}))(case)

    return arm


# RFC 6749 section 5.2.
_CODES = {
    "invalid_request": 400,
    "invalid_client": 401,
    "invalid_grant": 403,
    "unauthorized_client": 400,
    "unsupported_grant_type": 401,
    "invalid_scope": 403,
}
_MORE = {"error_description": marked("what a server says"), "error_uri": "https://elsewhere.invalid"}
_INVALID_CLIENT = json.dumps(_MORE | {"error": "invalid_client"}).encode()
_UNREADABLE = {
    "a code that is not registered": _MORE | {"error": marked("a code")},
    "a code in capitals": _MORE | {"error": "INVALID_CLIENT"},
    "a code and more": _MORE | {"error": f"invalid_client {marked('more')}"},
    "a list of codes": _MORE | {"error": ["invalid_client"]},
    "an object as the code": _MORE | {"error": {"code": "invalid_client"}},
    "a code in another member": _MORE | {"code": "invalid_client"},
    "a list around the code": [_MORE | {"error": "invalid_client"}],
    "a code in a page": b"<html>" + _INVALID_CLIENT + b"</html>",
    "a code in a form": b"error=invalid_client",
    "a code after too much": _MORE | {"a": "b" * 300_000, "error": "invalid_client"},
    "half of a code": _INVALID_CLIENT[: _INVALID_CLIENT.index(b"invalid_client") + 5],
    "deep nesting": b"[" * 100_000,
    "a code that is not UTF-8": _INVALID_CLIENT.replace(b"invalid_client", b"invalid_\xffclient"),
}


def refusals() -> Iterator[Fault]:
    for code, status in _CODES.items():
        says = f"answered {status} ({code}) for the credentials in secret"
        yield row(f"{status} with {code}", JsonAnswer(_MORE | {"error": code}, status), refused(says))
    shown = refused("answered 401 (invalid_client) for")
    forms = {
        "compressed": _refusal(gzip.compress(_INVALID_CLIENT), "Content-Encoding: gzip"),
        "in UTF-16": _refusal(_INVALID_CLIENT.decode().encode("utf-16")),
        "said to be a page": _refusal(_INVALID_CLIENT, "Content-Type: text/html"),
    }
    yield from table("401 with invalid_client, {}", shown, forms)
    not_shown = refused("answered 401 for the credentials in secret")
    for name, body in _UNREADABLE.items():
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        yield row(f"401 with {name}", Answer(401, octets), not_shown)
    lie = _refusal(_INVALID_CLIENT, "Content-Encoding: gzip")
    yield row("401 with a code that is said to be compressed", lie, not_shown)
    bomb = _refusal(gzip.compress(bytes(5_000_000)), "Content-Encoding: gzip")
    yield row("401 with a gzip bomb", bomb, not_shown)
    head = f"Content-Length: {len(_INVALID_CLIENT) + 1}"
    hang = Wire(lambda _: plain(_INVALID_CLIENT, head, status_line="HTTP/1.1 401 Unauthorized"), hangs=True)
    # The head has to come in time, on a busy machine too.
    yield row("401 with a body that never ends", each(hang, seconds=10.5), not_shown)


def _refusal(body: bytes, *fields: str) -> Wire:
    return Wire(lambda _: http(body, *fields, status_line="HTTP/1.1 401 Unauthorized"))
