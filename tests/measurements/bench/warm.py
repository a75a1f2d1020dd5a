"""A warm call: the token is at hand and valid."""

from __future__ import annotations

import os
import timeit
from functools import partial
from unittest import mock

from bench import contestants
from bench.measurement import Spread, Table, in_turns
from bench.upstream import environment, running_upstream

# Many short rounds, so that other programs of the machine do not touch the fastest ones.
ROUNDS, QUICK_ROUNDS = 400, 20
CALLS = 100
LIFE_SECONDS = 36_000
FLOOR = "floor: a function that reads an attribute and the clock"
CONTESTANTS = {
    FLOOR: contestants.floor,
    "**talend_token** `get_token`": contestants.ours,
    "authlib `ensure_active_token`": contestants.authlib,
    "Powertools `get`, JSON": contestants.powertools,
    "botocore RefreshableCredentials": contestants.refreshable,
    "aws-secretsmanager-caching and `json.loads`": contestants.caching,
}
NOTES = (
    "Nanoseconds of wall-clock time a call in one thread: fastest / median / slowest round, and the ratio to the "
    "floor, of the fastest rounds / of the medians. A call is what a consumer writes to have a valid access token. "
    "Authlib's only checks. A request on loopback takes about 400,000 ns, so a difference below 5,000 does not matter."
)


def run(quick: bool) -> list[Table]:
    """Measure every contestant."""
    with running_upstream() as upstream, mock.patch.dict(os.environ, environment(upstream)):
        upstream.publish(LIFE_SECONDS)
        prepared = {name: prepare(upstream.url(), LIFE_SECONDS) for name, prepare in CONTESTANTS.items()}
        calls = {name: partial(timeit.Timer(call).timeit, CALLS) for name, call in prepared.items()}
        times = in_turns(calls, QUICK_ROUNDS if quick else ROUNDS)
    found = {name: Spread.of(seconds) for name, seconds in times.items()}
    rows = [(name, *spread.cells(found[FLOOR], 1e9 / CALLS)) for name, spread in found.items()]
    return [Table("A warm call for the token", ("", "ns", "/ floor"), rows, NOTES)]
