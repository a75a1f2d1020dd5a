"""Bursts of renewals, with faults, on the functions deployed to the local AWS.

In each burst, Talend has revoked the published token of one account, and all its consumers invoke `renew` until an
answer says that there is another token. The report says how many invocations that took, how long they took, how they
ended and what they cost.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import statistics
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import requests

from bench.measurement import progress
from bench.quiet_stack import deploy_quiet_stack
from demo.deployment import Stack
from local_aws import LocalAWS
from local_aws.waiting import eventually
from talend_simulator import Account, Answer, Close, Drip, HtmlAnswer, Reset, TalendSimulator
from talend_simulator.faults import Fault

# Runs of `renew` at the same moment; AWS's default is 1,000, which two cores do not hold.
CONCURRENCY = 16
CALLERS = 48
# Renewals leave a token alone that is younger than a minute.
BACKDATED_SECONDS = 600
# Who is told that a renewal is under way, or failed, comes back.
_PAUSE_SECONDS = 0.1
# A killed winner keeps its lock for as long as it could have run.
PATIENCE_SECONDS = 60
# Each burst makes two versions, one by hand; `renew` leaves some of a day's 100 to the schedule and to people.
BURSTS_AN_ACCOUNT = 40
NONE, KILL = "no fault", "a busy function is killed"
FAULTS: dict[str, tuple[Fault, int | None] | None] = {
    NONE: None,
    "503, once": (Answer(503), 1),
    "429 with Retry-After, once": (Answer(429, headers={"Retry-After": "1"}), 1),
    "reset, once": (Reset(), 1),
    "closed inside the body, once": (Close(after_body_bytes=10), 1),
    "a page, three times": (HtmlAnswer(), 3),
    "a second late": (Drip(interval_seconds=1, chunk_bytes=1_000_000), None),
    "503, twelve times": (Answer(503), 12),
    KILL: (Drip(interval_seconds=1, chunk_bytes=1_000_000), None),
}


@dataclass
class Burst:
    """How one burst went."""

    fault: str
    consumers: int
    seconds: list[float] = field(default_factory=list)
    """Of each invocation."""
    ends: Counter[str] = field(default_factory=Counter)
    """Of each invocation: its outcome, or the error's class."""
    healed_seconds: float = 0
    """Until the last consumer knew of another token."""
    granted: int = 0
    """Tokens that Talend issued."""
    token_calls: int = 0
    versions: int = 0
    works: bool = False
    """Whether the API takes what is published in the end."""


@dataclass
class Load:
    """The deployed functions with their accounts."""

    aws: LocalAWS
    stack: Stack
    talend: TalendSimulator
    accounts: list[Account] = field(default_factory=list)

    def add_accounts(self, count: int) -> None:
        """Accounts whose first token is published."""
        secrets = self.aws.client("secretsmanager")
        for number in range(len(self.accounts), len(self.accounts) + count):
            account = self.talend.add_account(Account(client_id=f"load-{number}"))
            secrets.create_secret(Name=f"talend/{account.client_id}/token")
            # New credentials start a rotation by themselves.
            secrets.create_secret(Name=f"talend/{account.client_id}/credentials", SecretString=account.credentials)
            eventually(partial(self._has_token, account.client_id))
            self.accounts.append(account)

    def burst(self, account: Account, fault: str, consumers: int) -> Burst:
        """Have all consumers of the account meet a 401 at once."""
        burst, name = Burst(fault, consumers), account.client_id
        rejected = self._reject(account)
        before, made = len(self.talend.token_calls()), self._versions(name)
        armed = FAULTS[fault]
        if armed:
            self.talend.faults.add(armed[0], times=armed[1])
        started = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as pool:
            ended = [pool.submit(self._consume, burst, name, rejected) for _ in range(consumers)]
            if fault == KILL:
                self._kill_a_busy_function()
            healed = [end.result() for end in ended]
        self.talend.faults.clear()
        burst.healed_seconds = max(healed) - started
        asked = self.talend.token_calls()[before:]
        burst.token_calls, burst.granted = len(asked), sum(entry.status == 200 for entry in asked)
        burst.versions = self._versions(name) - made
        burst.works = self._works(name)
        return burst

    def _consume(self, burst: Burst, name: str, rejected: str) -> float:
        """Invoke `renew` until it knows of another token; when that was."""
        event = json.dumps({"account": name, "rejected_version_id": rejected})
        functions, function = self.aws.client("lambda"), self.stack.outputs["RenewFunctionName"]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            began = time.monotonic()
            answer = json.load(functions.invoke(FunctionName=function, Payload=event)["Payload"])
            ended = time.monotonic()
            end = answer.get("outcome") or answer["errorType"]
            burst.seconds.append(ended - began)
            burst.ends[end] += 1
            if end in ("rotated", "superseded") or ended > deadline:
                return ended
            time.sleep(_PAUSE_SECONDS)

    def _reject(self, account: Account) -> str:
        """Make a token of ten minutes' age the published one, and revoke it; its version."""
        secrets, name = self.aws.client("secretsmanager"), f"talend/{account.client_id}/token"
        document = json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])
        document["issued_at"] -= BACKDATED_SECONDS
        document["version_id"] = str(uuid.uuid4())
        self.talend.tokens.revoke_all(account.client_id)
        version: str = document["version_id"]
        secrets.put_secret_value(SecretId=name, SecretString=json.dumps(document), ClientRequestToken=version)
        return version

    def _kill_a_busy_function(self) -> None:
        function = self.stack.outputs["RenewFunctionName"]
        busy = eventually(lambda: [one for one in self.aws.workers() if one["busy"] and one["function"] == function])
        os.kill(busy[0]["pid"], signal.SIGKILL)

    def _has_token(self, name: str) -> bool:
        described = self.aws.client("secretsmanager").describe_secret(SecretId=f"talend/{name}/token")
        return "AWSCURRENT" in str(described.get("VersionIdsToStages"))

    def _versions(self, name: str) -> int:
        listed = self.aws.client("secretsmanager").list_secret_version_ids(
            SecretId=f"talend/{name}/token", IncludeDeprecated=True, MaxResults=100
        )
        return len(listed["Versions"])

    def _works(self, name: str) -> bool:
        published = self.aws.client("secretsmanager").get_secret_value(SecretId=f"talend/{name}/token")
        document = json.loads(published["SecretString"])
        headers = {"Authorization": f"Bearer {document['access_token']}"}
        answer = requests.get(f"{document['api_url']}/account/users", headers=headers, timeout=10)
        return answer.status_code == 200


@contextmanager
def deployed() -> Iterator[Load]:
    """The stack on an embedded AWS, beside a Talend simulator; `make build` has built it."""
    progress("starting an embedded local AWS and a Talend simulator")
    with LocalAWS(concurrency=CONCURRENCY) as aws, TalendSimulator() as talend:
        yield Load(aws, deploy_quiet_stack(aws, talend), talend)


def schedule(faults: Sequence[str], seed: int) -> Iterator[str]:
    """Faults by turns, in an order of chance, every other burst without one."""
    chance = random.Random(seed)
    while True:
        for fault in chance.sample(faults, len(faults)):
            yield NONE
            yield fault


def play(load: Load, faults: Sequence[str], consumers: int, go_on: Callable[[int], bool], seed: int) -> list[Burst]:
    """Bursts over all accounts by turns, as long as `go_on` says so of their number."""
    bursts: list[Burst] = []
    accounts = itertools.cycle(load.accounts)
    for fault in schedule(faults, seed):
        if not go_on(len(bursts)) or len(bursts) >= BURSTS_AN_ACCOUNT * len(load.accounts):
            return bursts
        bursts.append(load.burst(next(accounts), fault, consumers))
    raise AssertionError("the schedule never ends")


def report(bursts: Sequence[Burst], seconds: float) -> str:
    """What was found, as a table and two sentences."""
    lines = [
        f"{'fault':30}{'bursts':>8}{'invocations':>13}{'p50, s':>8}{'p99, s':>8}{'healed, s':>11}"
        f"{'token calls':>13}{'tokens':>8}{'versions':>10}"
    ]
    for fault in sorted({burst.fault for burst in bursts}, key=list(FAULTS).index):
        of = [burst for burst in bursts if burst.fault == fault]
        each = [second for burst in of for second in burst.seconds]
        healed = statistics.median(burst.healed_seconds for burst in of)
        lines.append(
            f"{fault:30}{len(of):8}{len(each):13,}{statistics.median(each):8.2f}{_p99(each):8.2f}{healed:11.2f}"
            f"{sum(burst.token_calls for burst in of):13}{sum(burst.granted for burst in of):8}"
            f"{sum(burst.versions for burst in of):10}"
        )
    ends = sum((burst.ends for burst in bursts), Counter[str]())
    calls, consumers = ends.total(), sum(burst.consumers for burst in bursts)
    lines += [
        "",
        f"{calls:,} invocations for {consumers:,} rejections in {seconds:.0f} s: {calls / seconds:.0f} a second, "
        f"{sum(burst.token_calls for burst in bursts) / consumers:.3f} token calls and "
        f"{sum(burst.versions for burst in bursts) / consumers:.3f} versions a rejection",
        ", ".join(f"{number:,} {end}" for end, number in ends.most_common()),
    ]
    return "\n".join(lines)


def _p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100, method="inclusive")[-1]
