"""Ten-minute outages of what the tokens come from, over a day in virtual time."""

from __future__ import annotations

import json
import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import google.oauth2.credentials
import httpx
import time_machine
from authlib.integrations.requests_client import OAuth2Session
from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_secretsmanager_caching import SecretCache
from cachetools import TTLCache, cached
from google.auth.exceptions import TransportError
from httpx_auth import OAuth2ClientCredentials

from bench.contestants import CLIENT
from bench.measurement import Spread, Table, progress
from bench.outage_world import (
    DAY_SECONDS,
    LIFE_SECONDS,
    ROTATION_SECONDS,
    START,
    URL,
    Down,
    Endpoint,
    Secrets,
    Source,
    World,
    token_response,
)
from talend_token import TokenClient

DAYS = 5
QUICK_DAYS = 1
OUTAGE_SECONDS = 600
OUTAGES_A_DAY = 24
CALL_EVERY_SECONDS = 10
NAME = "talend/default/token"


# --- the contestants: each gives the call that returns an access token ---


def ours(world: World) -> Callable[[], str]:
    client = TokenClient(Source(world), clock=time.time, monotonic=time.time)
    return lambda: client.get_token().access_token


def every_call(world: World) -> Callable[[], str]:
    """No cache at all."""
    secrets = Secrets(world)
    return lambda: str(json.loads(secrets.get_secret_value()["SecretString"])["access_token"])


def ttl_cache(world: World) -> Callable[[], str]:
    read = every_call(world)
    call: Callable[[], str] = cached(TTLCache(maxsize=1, ttl=300, timer=time.time))(read)
    return call


def powertools(world: World) -> Callable[[], str]:
    secrets: Any = Secrets(world)
    provider = SecretsProvider(boto3_client=secrets)

    def call() -> str:
        document: Any = provider.get(NAME, transform="json")
        return str(document["access_token"])

    return call


def caching(world: World) -> Callable[[], str]:
    cache = SecretCache(client=Secrets(world))
    return lambda: str(json.loads(cache.get_secret_string(NAME))["access_token"])


def authlib(world: World) -> Callable[[], str]:
    session = OAuth2Session(**CLIENT, token_endpoint=URL, grant_type="client_credentials")
    session.mount(URL, Endpoint(world))

    def call() -> str:
        if session.token is None:
            session.fetch_token()
        session.ensure_active_token(session.token)
        return str(session.token["access_token"])

    return call


def google_auth(world: World) -> Callable[[], str]:
    def refresh(_: Any, scopes: Any) -> tuple[str, datetime]:  # noqa: ARG001
        try:
            token = world.fetch()
        except Down:
            raise TransportError from None
        return token, datetime.fromtimestamp(time.time() + LIFE_SECONDS, UTC).replace(tzinfo=None)

    credentials = google.oauth2.credentials.Credentials(None, refresh_handler=refresh)

    def call() -> str:
        credentials.before_request(None, "GET", URL, {})
        return str(credentials.token)

    return call


def httpx_auth(world: World) -> Callable[[], str]:
    def respond(_: httpx.Request) -> httpx.Response:
        try:
            return httpx.Response(200, json=token_response(world))
        except Down:
            raise httpx.ConnectError("down") from None

    account = CLIENT | {"client_id": str(uuid.uuid4())}
    auth = OAuth2ClientCredentials(URL, client=httpx.Client(transport=httpx.MockTransport(respond)), **account)

    def call() -> str:
        request = next(auth.auth_flow(httpx.Request("GET", URL)))
        return str(request.headers["Authorization"]).removeprefix("Bearer ")

    return call


CONTESTANTS: dict[str, Callable[[World], Callable[[], str]]] = {
    "**talend_token**": ours,
    "secret, read on every call": every_call,
    "secret, cachetools TTLCache of 300 s": ttl_cache,
    "secret, Powertools (300 s)": powertools,
    "secret, aws-secretsmanager-caching (3,600 s)": caching,
    "token endpoint, authlib": authlib,
    "token endpoint, google-auth": google_auth,
    "token endpoint, httpx-auth": httpx_auth,
}


@dataclass(frozen=True)
class Day:
    """How one day's calls ended."""

    failed_with_good_token: int
    """The call failed, although the token that the caller had last was still good."""
    failed_otherwise: int
    expired: int
    """The call gave an expired token."""
    asked: int


def run(quick: bool) -> list[Table]:
    """Live through the days, each with other outages, with every contestant."""
    # It warns of each outage, as it should.
    logging.getLogger("talend_token").setLevel(logging.ERROR)
    seeds = range(QUICK_DAYS if quick else DAYS)
    rows = []
    for name, prepare in CONTESTANTS.items():
        progress(name)
        days = [live(prepare, seed) for seed in seeds]
        rows.append(
            [
                name,
                *(
                    Spread.of(counts).text()
                    for counts in (
                        [day.failed_with_good_token for day in days],
                        [day.expired for day in days],
                        [day.failed_otherwise for day in days],
                        [day.asked for day in days],
                    )
                ),
            ]
        )
    header = [
        "a day",
        "failed with a good token at hand",
        "expired tokens given",
        "failed otherwise",
        "reads or token calls",
    ]
    return [Table("The source of tokens is down for ten minutes", header, rows, NOTES)]


NOTES = (
    f"{DAY_SECONDS // CALL_EVERY_SECONDS:,} calls a day, one every {CALL_EVERY_SECONDS} s, in virtual time; median "
    f"of the days (minimum to maximum). Tokens are valid for {LIFE_SECONDS // 60} minutes. The secret gets a new "
    f"one every {ROTATION_SECONDS // 60} minutes, or when an outage ends. {OUTAGES_A_DAY} outages a day begin at "
    "random moments. All contestants have their defaults. The first two columns are the cache's own faults. Calls "
    "that failed otherwise had no valid token and could not get one, so they had to fail. talend_token does not "
    "use a token's last second, because the responses that it reads the time from have whole seconds."
)


def live(prepare: Callable[[World], Callable[[], str]], seed: int) -> Day:
    """One contestant's day. Only the clock is replaced, for all of them in the same way."""
    rng = random.Random(seed)
    slot = DAY_SECONDS // OUTAGES_A_DAY
    # Whole seconds, as tokens and answers have.
    starts = [START + slot * number + rng.randrange(slot - OUTAGE_SECONDS) for number in range(OUTAGES_A_DAY)]
    random.seed(seed)
    with time_machine.travel(START, tick=False) as traveller:
        world = World([(start, start + OUTAGE_SECONDS) for start in starts])
        call = prepare(world)
        had, counts = "", {"failed_with_good_token": 0, "failed_otherwise": 0, "expired": 0}
        for _ in range(DAY_SECONDS // CALL_EVERY_SECONDS):
            now = time.time()
            try:
                had = call()
            except Exception:  # noqa: BLE001 (each peer has its own)
                good = world.ends.get(had, 0) > now
                counts["failed_with_good_token" if good else "failed_otherwise"] += 1
            else:
                counts["expired"] += world.ends[had] <= now
            traveller.shift(CALL_EVERY_SECONDS)
    return Day(**counts, asked=world.asked)
