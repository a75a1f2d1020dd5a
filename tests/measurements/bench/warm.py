"""A warm call: the token is at hand and good."""

from __future__ import annotations

import json
import threading
import time
import timeit
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from bench.contestants import (
    authlib_session,
    google_credentials,
    httpx_auth,
    powertools_provider,
    refreshable_credentials,
    secret_cache,
    talend_token_client,
    ttl_cached_read,
)
from bench.measurement import Spread, Table, in_turns, progress
from bench.upstream import SECRET_NAME, Upstream, environment

THREADS = (1, 8)
ROUNDS = 40
QUICK_ROUNDS = 5
# Threads take turns every 5 ms: so long that each of eight has some.
SAMPLE_SECONDS = {1: 0.005, 8: 0.08}
LIFE_SECONDS = 36_000
FLOOR = "floor: a function that reads an attribute and the clock"
OURS = "**talend_token** `get_token()`"


class Holder:
    """The least that a cache can be."""

    def __init__(self, token: object, ends: float) -> None:
        self.token = token
        self.ends = ends
        self.lock = threading.Lock()

    def read(self) -> object:
        """Does what the floor does, as a method."""
        time.monotonic()
        return self.token

    def read_checked(self) -> object:
        """Checks the expiry too."""
        return self.token if time.monotonic() < self.ends else None

    def read_locked(self) -> object:
        """Does what the floor does, under a lock."""
        with self.lock:
            time.monotonic()
            return self.token


def run(quick: bool) -> list[Table]:
    """Measure every contestant with 1 and with 8 threads."""
    with Upstream() as upstream, environment(upstream.environment()):
        upstream.set(life_seconds=LIFE_SECONDS)
        upstream.publish()
        progress("warm: every contestant gets its token")
        statements = contestants(upstream)
        found = {
            threads: in_turns(
                {name: Sampler(statement, threads) for name, statement in statements.items()},
                QUICK_ROUNDS if quick else ROUNDS,
            )
            for threads in THREADS
        }
    spreads = {threads: {name: Spread.of(times) for name, times in found[threads].items()} for threads in THREADS}
    rows = [
        [name, *(cell for spread in spreads.values() for cell in spread[name].cells(spread[FLOOR], 1e9))]
        for name in statements
    ]
    header = ["", *(cell for threads in THREADS for cell in (_threads(threads), "/ floor"))]
    return [Table("A warm call for the token", header, rows, NOTES)]


NOTES = (
    "Nanoseconds of wall-clock time a call, over all threads of one process: fastest / median / slowest round, "
    "and the ratio to the floor, of the fastest rounds / of the medians. A call is what a consumer writes to have "
    "a valid token. google-auth's and httpx-auth's write the header too, and authlib's only checks. A request on "
    "loopback takes about 400,000 ns, so a difference below 5,000 does not matter."
)


def _threads(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}, ns"


def contestants(upstream: Upstream) -> dict[str, timeit.Timer]:
    """What is written for a token by name; each has been called once."""
    holder = Holder("token", time.monotonic() + LIFE_SECONDS)
    client = talend_token_client()
    authlib, google = authlib_session(upstream), google_credentials(upstream)
    refreshable, read, cache = refreshable_credentials(), ttl_cached_read(), secret_cache()
    powertools = powertools_provider()
    powertools.get(SECRET_NAME, transform="json", max_age=LIFE_SECONDS)
    auth, request = httpx_auth(upstream), httpx.Request("GET", upstream.api_url)

    def floor() -> object:
        time.monotonic()
        return holder.token

    def timer(statement: str, **names: Any) -> timeit.Timer:
        made = timeit.Timer(statement, globals=names)
        made.timeit(1)
        return made

    return {
        FLOOR: timer("floor()", floor=floor),
        "the same as a method": timer("holder.read()", holder=holder),
        "the least that checks the expiry": timer("holder.read_checked()", holder=holder),
        "the floor under a lock": timer("holder.read_locked()", holder=holder),
        OURS: timer("client.get_token()", client=client),
        "authlib `ensure_active_token`": timer("session.ensure_active_token(session.token)", session=authlib),
        "cachetools TTLCache and a lock": timer("read()", read=read),
        "Powertools `get`, JSON": timer("get(name, transform='json')", get=powertools.get, name=SECRET_NAME),
        "google-auth `before_request`": timer(
            "credentials.before_request(None, 'GET', url, {})", credentials=google, url=upstream.api_url
        ),
        "httpx-auth": timer("next(auth.auth_flow(request))", auth=auth, request=request),
        "botocore RefreshableCredentials": timer("credentials.get_frozen_credentials()", credentials=refreshable),
        "aws-secretsmanager-caching and `json.loads`": timer(
            "json.loads(cache.get_secret_string(name))", json=json, cache=cache, name=SECRET_NAME
        ),
    }


class Sampler:
    """Calls one contestant for about `SAMPLE_SECONDS`."""

    def __init__(self, timer: timeit.Timer, threads: int) -> None:
        self._timer = timer
        self._threads = threads
        calls = 10
        while (seconds := timer.timeit(calls)) < SAMPLE_SECONDS[threads] / 20:
            calls *= 2
        self._calls = max(1, round(SAMPLE_SECONDS[threads] * calls / seconds / threads))

    def __call__(self) -> float:
        """Seconds a call."""
        if self._threads == 1:
            return self._timer.timeit(self._calls) / self._calls
        seconds = _side_by_side(partial(self._timer.timeit, self._calls), self._threads)
        return seconds / (self._calls * self._threads)


def _side_by_side(work: Callable[[], object], threads: int) -> float:
    """Seconds from the moment when all threads are there until the last one is done."""
    barrier = threading.Barrier(threads + 1)

    def together() -> None:
        barrier.wait()
        work()

    running = [threading.Thread(target=together) for _ in range(threads)]
    for thread in running:
        thread.start()
    barrier.wait()
    started = time.perf_counter()
    for thread in running:
        thread.join()
    return time.perf_counter() - started
