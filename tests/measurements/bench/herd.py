"""Herds: many callers meet an expired token at once, and a rejected one."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench import herd_contestants as contestants
from bench.crowd import of_threads
from bench.measurement import Spread, Table, progress
from bench.upstream import Upstream, environment

CALLERS = 500
# Their callers wait for each other, one request after the other: 500 would take minutes.
FEW_CALLERS = 20
ROUNDS = 3
LATENCY_SECONDS = 0.5
# Enough for libraries that count in whole seconds, once for the issue and once for the answer.
SHORT_LIFE_SECONDS = 4
LIFE_SECONDS = 1800
WELL = "well"


@dataclass(frozen=True)
class Contestant:
    """One way to get a token. `prepare` is one of `bench.herd_contestants`."""

    name: str
    prepare: Callable[[Upstream], Callable[[], object]]
    callers: int = CALLERS


EXPIRED = (
    Contestant("**talend_token**", contestants.ours),
    Contestant("a double-checked lock by hand", contestants.double_checked_lock),
    Contestant("botocore RefreshableCredentials", contestants.refreshable),
    Contestant("aws-secretsmanager-caching", contestants.caching),
    Contestant("Powertools", contestants.powertools),
    Contestant("authlib OAuth2Session", contestants.authlib),
    Contestant("google-auth", contestants.google),
    Contestant("httpx-auth", contestants.httpx_auth_flow, callers=FEW_CALLERS),
)
REJECTED = (
    Contestant("floor: requests, two requests without a token", contestants.two_requests),
    Contestant("**talend_token.requests**", contestants.ours_rejected),
    Contestant("authlib OAuth2Session, as it comes", contestants.authlib_rejected),
    Contestant("google-auth AuthorizedSession", contestants.google_rejected),
    Contestant("Powertools by hand: renew, `force_fetch`", contestants.powertools_rejected),
    Contestant(
        "aws-secretsmanager-caching by hand: renew, `refresh_secret_now`",
        contestants.caching_rejected,
        callers=FEW_CALLERS,
    ),
)


@dataclass(frozen=True)
class Event:
    """What makes a herd of many callers."""

    first_life_seconds: int
    happen: Callable[[Upstream], None]


def _expire(upstream: Upstream) -> None:
    upstream.set(life_seconds=LIFE_SECONDS)
    upstream.publish()
    # Also the lives that Powertools and aws-secretsmanager-caching give what they read.
    time.sleep(SHORT_LIFE_SECONDS + 0.1)


EXPIRY = Event(SHORT_LIFE_SECONDS, _expire)
REJECTION = Event(LIFE_SECONDS, Upstream.revoke)


@dataclass(frozen=True)
class Herd:
    """How one herd went."""

    requests: int
    """Reads of the secret and token calls."""
    renewals: int
    well: int
    failures: set[str]
    seconds: float


def run(quick: bool) -> list[Table]:
    """Let both herds loose on every contestant."""
    # It warns of each connection past the ten that boto3 and requests keep.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    header = ["", "callers", "reads and token calls", "invocations of renew", "succeed", "seconds"]
    with Upstream() as upstream, environment(upstream.environment()):
        expired = list(_rows(upstream, EXPIRED, EXPIRY, quick))
        rejected = list(_rows(upstream, REJECTED, REJECTION, quick))
    return [
        Table("Many callers meet an expired token", header, expired, NOTES),
        Table("Many callers meet a rejected token", header, rejected, REJECTED_NOTES),
    ]


NOTES = (
    f"Everything but the API answers after {LATENCY_SECONDS:g} s. Median of the rounds (minimum to maximum). A "
    "caller succeeds if it gets a token that works. Each caller's first token has expired, and a new one is "
    f"published or can be requested from the token endpoint. There are only {FEW_CALLERS} callers where the "
    "contestant makes one wait for the other."
)
REJECTED_NOTES = (
    "The API rejects the token that each caller holds, and the published one too: it was revoked. A caller "
    'succeeds if it gets the API\'s 200. The renew function makes one token for all who ask at once. "As it comes" '
    "is what the library does by itself."
)


def _rows(upstream: Upstream, among: tuple[Contestant, ...], event: Event, quick: bool) -> Iterator[Sequence[str]]:
    rounds = 1 if quick else ROUNDS
    herds: dict[Contestant, list[Herd]] = {contestant: [] for contestant in among}
    for number in range(rounds):
        for contestant, found in herds.items():
            progress(f"round {number + 1} of {rounds}: {contestant.name}")
            found.append(_herd(upstream, contestant, event, _callers(contestant, quick)))
    for contestant, found in herds.items():
        kinds = sorted(set[str]().union(*(herd.failures for herd in found)))
        yield (
            contestant.name,
            f"{_callers(contestant, quick)} threads",
            Spread.of([herd.requests for herd in found]).text(),
            Spread.of([herd.renewals for herd in found]).text(),
            Spread.of([herd.well for herd in found]).text() + (f"; others: {', '.join(kinds)}" if kinds else ""),
            Spread.of([herd.seconds for herd in found]).text(digits=2),
        )


def _callers(contestant: Contestant, quick: bool) -> int:
    return min(contestant.callers, FEW_CALLERS if quick else CALLERS)


def _herd(upstream: Upstream, contestant: Contestant, event: Event, callers: int) -> Herd:
    upstream.set(latency_seconds=0, life_seconds=event.first_life_seconds)
    upstream.publish()
    call = contestant.prepare(upstream)
    event.happen(upstream)
    upstream.set(latency_seconds=LATENCY_SECONDS)
    upstream.take_counts()
    outcome = of_threads(call, callers)
    counts = Counter(upstream.take_counts())
    renewals = counts.pop("renew", 0)
    working = upstream.working()
    ends = [_end(result, working) for result in outcome.results]
    return Herd(counts.total(), renewals, ends.count(WELL), {end for end in ends if end != WELL}, outcome.seconds)


def _end(result: object, working: Mapping[str, int]) -> str:
    """How a call ended, in a word: `result` is an access token, the API's status, or an exception."""
    if isinstance(result, Exception):
        return type(result).__name__
    if isinstance(result, int):
        return WELL if result == 200 else str(result)
    return WELL if working.get(str(result), 0) > time.time() else "an expired token"
