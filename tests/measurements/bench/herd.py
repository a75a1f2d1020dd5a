"""Herds: many threads meet an expired token at the same moment, and a rejected one."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple
from unittest import mock

from bench import contestants
from bench.contestants import Prepare
from bench.measurement import Spread, Table, in_turns
from bench.upstream import Upstream, environment, running_upstream
from doubles.threads import in_threads

CALLERS, QUICK_CALLERS = 500, 20
ROUNDS = 3
LATENCY_SECONDS = 0.5
# Enough for libraries that count in whole seconds.
SHORT_LIFE_SECONDS = 4
LIFE_SECONDS = 1800
WELL = "well"

EXPIRED = {
    "**talend_token**": contestants.ours,
    "botocore RefreshableCredentials": contestants.refreshable,
    "aws-secretsmanager-caching": contestants.caching,
    "Powertools": contestants.powertools,
    "authlib OAuth2Session": contestants.authlib,
}
REJECTED = {
    "**talend_token.requests**": contestants.our_request,
    "authlib OAuth2Session, as it comes": contestants.authlib_request,
    "google-auth AuthorizedSession": contestants.google_request,
}
HEADER = ("", "callers", "reads and token calls", "invocations of renew", "succeed", "seconds")
NOTES = (
    f"Everything but the API answers after {LATENCY_SECONDS:g} s. Median of the rounds (minimum to maximum). A "
    "caller succeeds if it gets a token that works. Each caller's first token has expired, and a new one is "
    "published or can be requested from the token endpoint. The start of the threads is in the seconds."
)
REJECTED_NOTES = (
    "The API rejects the token that each caller holds, and the published one too: it was revoked. A caller "
    'succeeds if it gets the API\'s 200. Each invocation of renew publishes a new token. "As it comes" is what the '
    "library does by itself."
)


class Herd(NamedTuple):
    """How the calls of one herd ended, and what they cost."""

    ends: Counter[str]
    requests: int
    renewals: int
    seconds: float


def run(quick: bool) -> list[Table]:
    """Let both herds loose on every contestant."""
    # It warns of each connection past the ten that boto3 and requests keep.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with running_upstream() as upstream, mock.patch.dict(os.environ, environment(upstream)):
        return [
            _table("Many callers meet an expired token", upstream, EXPIRED, NOTES, quick),
            _table("Many callers meet a rejected token", upstream, REJECTED, REJECTED_NOTES, quick),
        ]


def _table(title: str, upstream: Upstream, among: Mapping[str, Prepare], notes: str, quick: bool) -> Table:
    callers = QUICK_CALLERS if quick else CALLERS
    expired = among is EXPIRED
    herds = {name: partial(_herd, upstream, prepare, callers, expired=expired) for name, prepare in among.items()}
    found = in_turns(herds, 1 if quick else ROUNDS)
    return Table(title, HEADER, [(name, f"{callers} threads", *_cells(herds)) for name, herds in found.items()], notes)


def _cells(herds: list[Herd]) -> tuple[str, str, str, str]:
    others = sorted({end for herd in herds for end in herd.ends} - {WELL})
    return (
        Spread.of([herd.requests for herd in herds]).text(),
        Spread.of([herd.renewals for herd in herds]).text(),
        Spread.of([herd.ends[WELL] for herd in herds]).text() + (f"; others: {', '.join(others)}" if others else ""),
        Spread.of([herd.seconds for herd in herds]).text(digits=2),
    )


def _herd(upstream: Upstream, prepare: Prepare, callers: int, *, expired: bool) -> Herd:
    upstream.delay(0)
    life_seconds = SHORT_LIFE_SECONDS if expired else LIFE_SECONDS
    upstream.publish(life_seconds)
    call = prepare(upstream.url(), life_seconds)
    if expired:
        upstream.publish(LIFE_SECONDS)
        time.sleep(SHORT_LIFE_SECONDS + 0.1)
    else:
        upstream.revoke()
    upstream.delay(LATENCY_SECONDS)
    upstream.take_operations()
    started = time.monotonic()
    results = in_threads(call, callers)
    seconds = time.monotonic() - started
    operations = upstream.take_operations()
    renewals = sum(operation.endswith("/invocations") for operation in operations)
    return Herd(Counter(_end(result, upstream) for result in results), len(operations) - renewals, renewals, seconds)


def _end(result: object, upstream: Upstream) -> str:
    """Return how a call ended, in a word. `result` is an access token, a status of the API, or an exception."""
    if isinstance(result, Exception):
        return type(result).__name__
    if isinstance(result, int):
        return WELL if result == 200 else str(result)
    return WELL if upstream.works(str(result)) else "an expired token"
