"""From a 401 to the repeated request's answer, with the project's functions deployed to the embedded local AWS."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from bench.by_hand import by_hand
from bench.contestants import powertools_provider, secret_cache, secrets_client, talend_token_client
from bench.measurement import Spread, Table, in_turns, progress
from bench.quiet_stack import deploy_quiet_stack
from bench.upstream import environment
from demo.deployment import Stack
from local_aws import LocalAWS
from local_aws.waiting import eventually
from talend_simulator import Account, Settings, TalendSimulator
from talend_token.requests import TalendAuth

API_PATH = "/orchestration/executables/tasks"
# Far below what a secret takes in a day: after some 85 renewals `renew` answers budget_exhausted.
ROUNDS = 40
# aws-secretsmanager-caching sleeps 2.5 to 5 s each time.
SLOW_ROUNDS = 10
QUICK_ROUNDS = 2
# Tokens live half a minute here, and `renew` replaces none in its first second.
SPEED = 60
YOUNG_SECONDS = 1.3
FLOOR = "floor: boto3 by hand: renew, read"
SLOW = "aws-secretsmanager-caching by hand: renew, `refresh_secret_now`"


@dataclass(frozen=True)
class Site:
    """One contestant's own Talend account: its secrets, and what it is called by."""

    stack: Stack
    talend: TalendSimulator
    account: str

    @property
    def secret(self) -> str:
        return f"talend/{self.account}/token"

    @property
    def url(self) -> str:
        return self.talend.url + API_PATH

    def by_hand(self, read: Callable[[], Any], read_again: Callable[[], Any]) -> Callable[[], int]:
        """See `bench.by_hand.by_hand`."""
        function = self.stack.outputs["RenewFunctionName"]
        return by_hand(self.url, read, read_again, renew_function=function, account=self.account)


def ours(site: Site) -> Callable[[], int]:
    auth = TalendAuth(talend_token_client(site.secret, site.stack.outputs["RenewFunctionName"]))

    def call() -> int:
        with requests.Session() as session:
            session.auth = auth
            return session.get(site.url, timeout=60).status_code

    return call


def boto3_alone(site: Site) -> Callable[[], int]:
    """Keeps the document in a variable; the least that does the same work."""
    secrets = secrets_client()
    held: list[Any] = []

    def read_again() -> Any:
        held[:] = [json.loads(secrets.get_secret_value(SecretId=site.secret)["SecretString"])]
        return held[0]

    read_again()
    return site.by_hand(lambda: held[0], read_again)


def powertools(site: Site) -> Callable[[], int]:
    provider = powertools_provider()

    def read(force: bool) -> Any:
        return provider.get(site.secret, transform="json", force_fetch=force)

    return site.by_hand(lambda: read(False), lambda: read(True))


def caching(site: Site) -> Callable[[], int]:
    cache = secret_cache()

    def read() -> Any:
        return json.loads(cache.get_secret_string(site.secret))

    def read_again() -> Any:
        cache.refresh_secret_now(site.secret)
        return read()

    return site.by_hand(read, read_again)


CONTESTANTS: dict[str, Callable[[Site], Callable[[], int]]] = {
    FLOOR: boto3_alone,
    "**talend_token.requests**": ours,
    "Powertools by hand: renew, `force_fetch`": powertools,
    SLOW: caching,
}


def run(quick: bool) -> list[Table]:
    """Deploy, and have a token rejected in every round, for every contestant."""
    with _deployed() as (stack, talend, aws):
        progress("every contestant gets an account and its first token")
        measured = {
            name: _measured(prepare, _site(stack, talend, aws, f"bench{number}"), talend)
            for number, (name, prepare) in enumerate(CONTESTANTS.items())
        }
        found = in_turns(measured, QUICK_ROUNDS if quick else SLOW_ROUNDS)
        del measured[SLOW]
        for name, times in in_turns(measured, 0 if quick else ROUNDS - SLOW_ROUNDS).items():
            found[name] += times
    floor = Spread.of(found[FLOOR])
    rows = [(name, str(len(times)), *Spread.of(times).cells(floor, 1e3), _p95(times)) for name, times in found.items()]
    header = ("", "runs", "ms", "/ floor", "p95, ms")
    return [Table("From a 401 to the repeated request's answer", header, rows, NOTES)]


NOTES = (
    "One consumer's call whose token Talend has just revoked, from its start to the 200: the rejected request, "
    "`renew` (a warm function; it calls a simulated token endpoint and writes a version), the read of the secret, "
    "and the request again. Milliseconds: fastest / median / slowest, and the ratio to the floor, of the fastest "
    "/ of the medians. Everything runs on one machine; on AWS the network and a cold start are added for all "
    "alike."
)


def _p95(times: list[float]) -> str:
    """What 95 % do not exceed; fewer than 20 runs do not tell."""
    return f"{1e3 * statistics.quantiles(times, n=20, method='inclusive')[-1]:,.0f}" if len(times) >= 20 else ""


@contextmanager
def _deployed() -> Iterator[tuple[Stack, TalendSimulator, LocalAWS]]:
    """The stack, with what is measured on it."""
    progress("starting an embedded local AWS and a Talend simulator")
    with LocalAWS() as aws, TalendSimulator(settings=Settings(speed=SPEED)) as talend:
        stack = deploy_quiet_stack(aws, talend)
        with environment(aws.environment()):
            yield stack, talend, aws


def _site(stack: Stack, talend: TalendSimulator, aws: LocalAWS, name: str) -> Site:
    """An account of its own, so that what one contestant does is nothing to the others."""
    account = talend.add_account(Account(client_id=name))
    secrets = aws.client("secretsmanager")
    secrets.create_secret(Name=f"talend/{name}/token")
    # New credentials start a rotation by themselves; one more, made here, would meet it.
    secrets.create_secret(Name=f"talend/{name}/credentials", SecretString=account.credentials)
    token = f"talend/{name}/token"
    eventually(lambda: "AWSCURRENT" in str(secrets.describe_secret(SecretId=token).get("VersionIdsToStages")))
    return Site(stack, talend, name)


def _measured(prepare: Callable[[Site], Callable[[], int]], site: Site, talend: TalendSimulator) -> Callable[[], float]:
    """Seconds of a call that meets a token revoked just now."""
    call = prepare(site)

    def once() -> float:
        while time.time() - _issued_at(talend, site.account) < YOUNG_SECONDS:
            time.sleep(0.1)
        talend.tokens.revoke_all(site.account)
        started = time.perf_counter()
        status = call()
        seconds = time.perf_counter() - started
        if status != 200:
            raise RuntimeError(f"account {site.account}: the repeated request was answered with {status}")
        return seconds

    if call() != 200:
        raise RuntimeError("the first token does not work")
    once()
    return once


def _issued_at(talend: TalendSimulator, client_id: str) -> float:
    last = talend.tokens.last(client_id)
    if last is None:
        raise RuntimeError(f"the token of account {client_id} has expired: the machine is too slow for this speed")
    return last.expires_at - talend.settings.life_seconds
