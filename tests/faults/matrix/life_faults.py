"""Rows of the matrix: for how long a token is valid, what it says of itself, and whether it is new and works."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

from faults.matrix.cases import Case
from faults.matrix.columns import HELD, Expectation, Expected, State, Trigger, invalid, published
from faults.matrix.faults import Arm, Fault, by_text, each, row, table
from talend_simulator import Account, Amend, SameToken
from talend_simulator.faults import Fault as TalendFault

_NOW = int(time.time())
_IGNORED_EXPIRES_IN: tuple[Any, ...] = (
    *(1800, "1800", 1800.0, "1800.9", 10**9, 10**400, 1_800_000, None, True, "half an hour", [1800], {}, "0x708", ""),
    *("Infinity", "NaN", "١٨٠٠", " 1800 ", "2026-11-24T05:00:00Z"),
)
# The last one is as long as its own publication.
_TOO_SHORT = (0, "0", -1, "-1800", 1, -0.0, 10)
_CLOCK_ERRORS = {"two hours slow": -7200, "two hours fast": 7200, "of 1970": -1_700_000_000}
# A token's claims may be anything, and 1800 s were granted.
_ODD_CLAIMS = {
    "exp before iat": {"iat": _NOW, "exp": _NOW - 5},
    "exp as a string": {"iat": _NOW, "exp": "tomorrow"},
    "exp past all time": {"iat": 0, "exp": 1e300},
    "exp infinite": b'{"iat": 0, "exp": Infinity}',
    "exp true": {"exp": True},
    "exp of 5000 digits": b'{"exp": ' + b"9" * 5000 + b"}",
    "exp before expires_in": {"iat": 1000, "exp": 1900},
    "claims that are no object": [1, 2],
    "claims that are no JSON": b"\xff\xfe",
    "claims nested deep": b"[" * 20_000,
    "no claims": {},
}
_ODD_AUDIENCES = {"wrong": "https://api.us.cloud.talend.com", "numeric": 7, "list of wrong": ["a", 1]}

_NO_JWT = {"no JWT": "opaque", "two dots only": "..", "a hundred dots": "." * 100}


def rows() -> Iterator[Fault]:
    too_short = invalid("s are needed")
    yield from table("expires_in {}", published(), by_text(_IGNORED_EXPIRES_IN), _expires_in)
    yield row("expires_in absent", Amend(without=("expires_in",)), published())
    yield row("expires_in exponential", _expires_in("1e3"), _shorter(1000))
    yield row("expires_in of a fraction", _expires_in(900.7), _shorter(900))
    yield from table("expires_in {}", too_short, by_text(_TOO_SHORT), _expires_in)
    yield row("expires_in infinitely negative", _expires_in("-Infinity"), published())
    yield row("expires_in just above that", _expires_in(11), _shorter(11))
    yield row("expires_in shorter than what is left", _expires_in("200"), _shorter(200))

    for name, seconds in _CLOCK_ERRORS.items():
        yield row(f"server's clock {name}", _setting(clock_error_seconds=seconds), published())
    for name, claims in _ODD_CLAIMS.items():
        life_seconds = 900 if name == "exp before expires_in" else 1800
        yield row(f"a token with {name}", _jwt(claims, expires_in=1800), _shorter(life_seconds))
    yield row("a token with exp in the past", _jwt({"exp": _NOW - 60}), too_short)
    other = published(says="audience is not")
    yield from table("a token with a {} aud", other, _ODD_AUDIENCES, lambda it: _jwt({"aud": it}, expires_in=1800))
    yield from table("a token that is {}", published(), _NO_JWT, lambda token: Amend({"access_token": token}))
    yield row("old token revoked on issue", _setting(revoke_on_issue=True), published())

    yield row("the same token again", _issue_the_published_token, _same_token)
    yield row("the same token with the life that is left", SameToken(), _same_token_with_what_is_left)

    refused = Expected("TokenRejectedByProbe", 1, "/account/users answered 401", again=HELD)
    yield row("a token that the API refuses", _probing(Amend({"access_token": "of-nobody"})), refused)
    not_shown = published(says="the probe did not show whether the token is valid")
    yield row("a probe path that is not there", _probing(path="/no/such/path"), not_shown)
    yield row("too many requests for the probe", _probing(requests_per_minute=0), not_shown)
    yield row("a probe path that the account may not see", _without_rights, published())


def _expires_in(value: Any) -> Amend:
    return Amend({"expires_in": value})


def _jwt(claims: Any, **members: Any) -> Amend:
    """Return an answer with a token that no server has issued, with these claims."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    parts = (b'{"alg":"none"}', payload, b"signature of nobody")
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)
    return Amend({"access_token": token, **members})


def _setting(**changes: Any) -> Arm:
    return lambda case: case.world.talend.settings.change(changes)


def _shorter(life_seconds: int) -> Expectation:
    """A token that expires before the good one that is published replaces it only if another one is wanted."""

    def expected(trigger: Trigger, state: State) -> Expected:
        if life_seconds < state.seconds_left and not trigger.is_wanted:
            return Expected("InvalidTokenResponse", 1)
        return Expected("rotated", 1, life_seconds=life_seconds)

    return expected


def _issue_the_published_token(case: Case) -> None:
    document = case.sight().document
    each(Amend({"access_token": document.access_token} if document else {}))(case)


def _same_token(trigger: Trigger, state: State) -> Expected:
    if state in (State.ABSENT, State.UNREADABLE):
        return Expected("rotated", 1)
    if trigger is Trigger.REJECTED:
        return Expected("RejectedTokenAgain", 1, again=HELD)
    if state is State.EXPIRED:
        return Expected("InvalidTokenResponse", 1, "although it has expired")
    return Expected("unchanged", 1)


def _same_token_with_what_is_left(trigger: Trigger, state: State) -> Expected:
    return Expected("rotated", 1) if state in (State.EXPIRED, State.LEFT_OVER) else _same_token(trigger, state)


def _probing(fault: TalendFault | None = None, path: str = "/account/users", **settings: Any) -> Arm:
    def arm(case: Case) -> None:
        case.world.with_environment(PROBE_PATH=path)
        case.world.talend.settings.change(settings)
        if fault:
            each(fault)(case)

    return arm


def _without_rights(case: Case) -> None:
    _probing()(case)
    case.world.talend.add_account(Account(case.account.client_id, case.account.client_secret, ("AUDIT_LOGS_VIEW",)))
