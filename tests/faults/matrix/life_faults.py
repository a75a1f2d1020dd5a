"""Rows of the matrix: how long a token lives, what it says of itself, and whether it is new and works."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from faults.matrix.arming import always, setting
from faults.matrix.cases import Case
from faults.matrix.columns import State, Trigger, seconds_left
from faults.matrix.faults import HELD, Expected, Fault, failed, published
from rotator.domain.errors import (
    InvalidTokenResponse,
    TokenRejectedByProbe,
)
from talend_simulator import (
    Account,
    Amend,
    SameToken,
)
from talend_simulator.faults import Fault as TalendFault

Expectation = Callable[[Trigger, State], Expected]


def jwt(claims: Any) -> str:
    """A token with these claims that no server has issued."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    parts = (b'{"alg":"none"}', payload, b"signature of nobody")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def rows() -> Iterator[Fault]:
    yield from _lives()
    yield from _claims()
    yield from _same_token()
    yield from _probe()


def _lives() -> Iterator[Fault]:
    granted: Mapping[str, Any] = {
        "a number": 1800,
        "a string": "1800",
        "a float": 1800.0,
        "a string of a float": "1800.9",
        "huge": 10**9,
        "more than any float": 10**400,
        "milliseconds": 1_800_000,
        "null": None,
        "true": True,
        "words": "half an hour",
        "a list": [1800],
        "an object": {},
        "hexadecimal": "0x708",
        "empty": "",
        "infinite": "Infinity",
        "not a number": "NaN",
        "in other digits": "١٨٠٠",
        "in white space": " 1800 ",
        "a date": "2026-11-24T05:00:00Z",
    }
    for name, value in granted.items():
        yield Fault(f"expires_in {name}", always(Amend({"expires_in": value})), published())
    yield Fault("expires_in absent", always(Amend(without=("expires_in",))), published())
    yield Fault("expires_in exponential", always(Amend({"expires_in": "1e3"})), _shorter(1000))
    yield Fault("expires_in of a fraction", always(Amend({"expires_in": 900.7})), _shorter(900))
    for name, value in {
        "zero": 0,
        "a string of zero": "0",
        "negative": -1,
        "a negative string": "-1800",
        "a second": 1,
        "negative zero": -0.0,
        "as long as its own publication": 10,
        "infinitely negative": "-Infinity",
    }.items():
        expected = published() if name == "infinitely negative" else failed(InvalidTokenResponse, 1, "s are needed")
        yield Fault(f"expires_in {name}", always(Amend({"expires_in": value})), expected)
    yield Fault("expires_in just above that", always(Amend({"expires_in": 11})), _shorter(11))
    yield Fault("expires_in shorter than what is left", always(Amend({"expires_in": "200"})), _shorter(200))


def _claims() -> Iterator[Fault]:
    for name, seconds in (("two hours slow", -7200), ("two hours fast", 7200), ("of 1970", -1_700_000_000)):
        yield Fault(f"server's clock {name}", setting(clock_error_seconds=seconds), published())
    now = int(time.time())
    # What a token says of itself may be anything; what was granted is 1800 s.
    odd: Mapping[str, tuple[Any, int]] = {
        "exp before iat": ({"iat": now, "exp": now - 5}, 1800),
        "exp as a string": ({"iat": now, "exp": "tomorrow"}, 1800),
        "exp past all time": ({"iat": 0, "exp": 1e300}, 1800),
        "exp infinite": (b'{"iat": 0, "exp": Infinity}', 1800),
        "exp true": ({"exp": True}, 1800),
        "exp of 5000 digits": (b'{"exp": ' + b"9" * 5000 + b"}", 1800),
        "exp before expires_in": ({"iat": 1000, "exp": 1900}, 900),
        "claims that are no object": ([1, 2], 1800),
        "claims that are no JSON": (b"\xff\xfe", 1800),
        "claims nested deep": (b"[" * 20_000, 1800),
        "no claims": ({}, 1800),
    }
    for name, (claims, life) in odd.items():
        fault = Amend({"access_token": jwt(claims), "expires_in": 1800})
        yield Fault(f"a token with {name}", always(fault), _shorter(life))
    past = Amend({"access_token": jwt({"exp": now - 60})})
    yield Fault("a token with exp in the past", always(past), failed(InvalidTokenResponse, 1, "s are needed"))
    for name, audience in {"wrong": "https://api.us.cloud.talend.com", "numeric": 7, "list of wrong": ["a", 1]}.items():
        fault = Amend({"access_token": jwt({"aud": audience}), "expires_in": 1800})
        yield Fault(f"a token with a {name} aud", always(fault), published(says="audience is not"))
    for name, token in {"no JWT": "opaque", "two dots only": "..", "a hundred dots": "." * 100}.items():
        yield Fault(f"a token that is {name}", always(Amend({"access_token": token})), published())
    yield Fault("old token revoked on issue", setting(revoke_on_issue=True), published())


def _same_token() -> Iterator[Fault]:
    def expected(trigger: Trigger, state: State) -> Expected:
        if state in (State.ABSENT, State.UNREADABLE):
            return Expected("rotated", 1)
        if trigger is Trigger.REJECTED:
            return Expected("RejectedTokenAgain", 1, again=HELD)
        if state is State.EXPIRED:
            return Expected("InvalidTokenResponse", 1, "although it has expired")
        return Expected("unchanged", 1)

    def arm(case: Case) -> None:
        document = case.sight().document
        case.world.talend.faults.add(Amend({"access_token": document.access_token} if document else {}), times=None)

    yield Fault("the same token again", arm, expected)

    def with_what_is_left(trigger: Trigger, state: State) -> Expected:
        return Expected("rotated", 1) if state in (State.EXPIRED, State.LEFT_OVER) else expected(trigger, state)

    yield Fault("the same token with the life that is left", always(SameToken()), with_what_is_left)


def _probe() -> Iterator[Fault]:
    def probing(fault: TalendFault | None, path: str = "/account/users", **settings: Any) -> Callable[[Case], None]:
        def arm(case: Case) -> None:
            case.world.with_settings(probe_path=path)
            case.world.talend.settings.change(settings)
            if fault:
                case.world.talend.faults.add(fault, times=None)

        return arm

    refused = failed(TokenRejectedByProbe, 1, "/account/users answered 401", breaker=True)
    yield Fault("a token that the API refuses", probing(Amend({"access_token": "of-nobody"})), refused)
    nothing = "the probe did not show whether the token is valid"
    yield Fault("a probe path that is not there", probing(None, "/no/such/path"), published(says=nothing))
    yield Fault("too many requests for the probe", probing(None, requests_per_minute=0), published(says=nothing))

    def without_rights(case: Case) -> None:
        probing(None)(case)
        few = Account(case.account.client_id, case.account.client_secret, permissions=("AUDIT_LOGS_VIEW",))
        case.world.talend.add_account(few)

    yield Fault("a probe path that the account may not see", without_rights, published())


def _shorter(life_seconds: int) -> Expectation:
    """A token that ends before the good one that is published is for those who want another at any price."""

    def expected(trigger: Trigger, state: State) -> Expected:
        if life_seconds < seconds_left(state) and not trigger.is_wanted:
            return Expected("InvalidTokenResponse", 1)
        return Expected("rotated", 1, life_seconds=life_seconds)

    return expected
