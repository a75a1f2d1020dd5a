"""Rows of the matrix: the status that the token endpoint answers with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

from faults.matrix.arming import always, once
from faults.matrix.cases import Case
from faults.matrix.faults import ATTEMPTS, Fault, failed, published
from faults.matrix.wire_faults import Wire, http
from rotator.domain.errors import (
    CredentialsRefused,
    InvalidTokenResponse,
    TokenUnavailable,
)
from talend_simulator import (
    Answer,
    Close,
    JsonAnswer,
    Redirect,
    Reset,
)
from talend_simulator.faults import Fault as TalendFault


def rows() -> Iterator[Fault]:
    yield from _statuses()
    yield from _retry_after()
    yield from _passing()


def _statuses() -> Iterator[Fault]:
    for status in (400, 401, 403):
        expected = failed(CredentialsRefused, 1, f"answered {status} for the credentials in secret", breaker=True)
        yield Fault(f"{status}", always(Answer(status)), expected)
    page = Answer(403, "<html>Access denied by the firewall</html>", {"Content-Type": "text/html"})
    yield Fault("403 with a page", always(page), failed(CredentialsRefused, 1, "answered 403", breaker=True))
    again = {"WWW-Authenticate": 'Digest realm="talend", nonce="1"'}
    yield Fault(
        "401 that asks for Digest", always(Answer(401, headers=again)), failed(CredentialsRefused, 1, breaker=True)
    )
    for status in (500, 502, 503, 504):
        says = f"answered {status} after {ATTEMPTS} attempts"
        yield Fault(f"{status}", always(Answer(status)), failed(TokenUnavailable, ATTEMPTS, says))
    for status in (
        201,
        202,
        204,
        205,
        206,
        304,
        402,
        404,
        405,
        407,
        408,
        410,
        413,
        415,
        418,
        421,
        425,
        451,
        501,
        505,
        599,
    ):
        yield Fault(f"{status}", always(Answer(status)), failed(InvalidTokenResponse, 1, f"answered {status}"))
    members = {"access_token": "one-of-a-201", "token_type": "Bearer", "expires_in": 1800}
    yield Fault("201 with a token", always(JsonAnswer(members, 201)), failed(InvalidTokenResponse, 1, "answered 201"))
    yield Fault("206 of a token", always(JsonAnswer(members, 206)), failed(InvalidTokenResponse, 1, "answered 206"))
    for status in (300, 301, 302, 303, 307, 308):

        def elsewhere(case: Case, status: int = status) -> None:
            case.world.talend.faults.add(Redirect(case.world.elsewhere.token_url, status), times=None)

        says = f"answered {status} for the credentials in secret"
        yield Fault(f"{status} to another host", elsewhere, failed(InvalidTokenResponse, 1, says))

    def circle(case: Case) -> None:
        case.world.talend.faults.add(Redirect(case.world.talend.token_url), times=None)

    yield Fault("307 to itself", circle, failed(InvalidTokenResponse, 1, "answered 307"))


def _retry_after() -> Iterator[Fault]:
    absurd = {
        "seconds past the deadline": "3600",
        "a date past the deadline": "Fri, 31 Dec 9999 23:59:59 GMT",
        "twenty digits": "9" * 20,
        "five thousand digits": "9" * 5000,
    }
    for name, value in absurd.items():
        headers = {"Retry-After": value}
        yield Fault(
            f"429 with Retry-After of {name}", always(Answer(429, headers=headers)), failed(TokenUnavailable, 1)
        )
    waited_for: dict[str, Any] = {
        "no": None,
        "2 seconds in": "2",
        "a date in": lambda: formatdate(time.time() + 2, usegmt=True),
        "a date gone by in": "Sun, 06 Nov 1994 08:49:37 GMT",
        "a date before our era in": "Mon, 01 Jan 0001 00:00:00 +2359",
        "a date without a zone in": "Sun, 06 Nov 1994 08:49:37",
        "an impossible date in": "Thu, 99 Foo 99999 99:99:99 GMT",
        "an empty": "",
        "a negative": "-1",
        "a fraction in": "1.5",
        "words in": "in a while",
        "a superscript digit in": "\xb2",
        "an infinite": "Infinity",
    }
    for name, value in waited_for.items():

        def arm(case: Case, value: Any = value) -> None:
            text = value() if callable(value) else value
            headers = {} if text is None else {"Retry-After": text}
            case.world.talend.faults.add(Answer(429, headers=headers), times=None)

        says = f"answered 429 after {ATTEMPTS} attempts"
        yield Fault(f"429 with {name} Retry-After", arm, failed(TokenUnavailable, ATTEMPTS, says))
    two = Wire(lambda _: http(b"", "Retry-After: 2", "Retry-After: 7200", status_line="HTTP/1.1 429 Too Many"))
    yield Fault("429 with two Retry-After headers", always(two), failed(TokenUnavailable, ATTEMPTS))
    yield Fault(
        "503 with Retry-After", always(Answer(503, headers={"Retry-After": "5"})), failed(TokenUnavailable, ATTEMPTS)
    )


def _passing() -> Iterator[Fault]:
    passing: dict[str, TalendFault] = {
        "503": Answer(503),
        "429 with Retry-After": Answer(429, headers={"Retry-After": "7"}),
        "reset": Reset(),
        "connection closed unanswered": Close(),
        "connection closed inside the body": Close(after_body_bytes=10),
        "connection closed after keep-alive": Wire(
            lambda _: http(b"", "Connection: keep-alive", status_line="HTTP/1.1 503 Busy")
        ),
    }
    for name, fault in passing.items():
        yield Fault(f"{name}, once", once(fault), published(calls=2))
