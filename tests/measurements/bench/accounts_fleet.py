"""Many accounts on one stack of the project, deployed to the embedded local AWS."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from bench.measurement import progress
from bench.quiet_stack import deploy_quiet_stack
from bench.upstream import environment
from demo.deployment import Stack
from local_aws import LocalAWS
from talend_simulator import Account, Drip, Settings, TalendSimulator

# Runs of `rotate` at the same moment: as many as there are callers.
CONCURRENCY = 12
# Tokens are valid for twelve seconds here, because shorter ones are not published. The schedule replaces none in its
# first thirtieth, which it takes for the same tick.
SPEED = 150
SAME_TICK_SECONDS = 0.5
SLOW_SECONDS = 1
OURS, AWS, CALLING = "the functions", "local AWS", "callers, Talend"
# How many calls a look at the local AWS's trail shows.
TRAIL_CALLS = 50


@dataclass(frozen=True)
class Fleet:
    """Accounts on one deployed stack."""

    aws: LocalAWS
    stack: Stack
    talend: TalendSimulator
    slow_talend: TalendSimulator
    good: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    _expected: dict[str, str] = field(default_factory=dict)

    def grow(self, count: int) -> None:
        """Have so many good accounts, each with a token."""
        new = [f"good-{number}" for number in range(len(self.good), count)]
        for name in new:
            self._create(name, self.talend.add_account(Account(client_id=name)).credentials, "rotated")
        self._rotate_all(new)
        self.good.extend(new)

    def add_broken(self, count: int) -> None:
        """Add accounts whose credentials are refused, and as many whose token endpoint takes a second."""
        for number in range(count):
            name, account = f"broken-{number}", Account()
            if number % 2:
                self._create(name, account.credentials, "CredentialsRefused")
            else:
                pair = {"id": account.client_id, "secret": account.client_secret, "api_url": self.slow_talend.url}
                self.slow_talend.add_account(account)
                self._create(name, json.dumps(pair), "rotated")
            self.broken.append(name)
        self._rotate_all(self.broken)

    def rotate(self, account: str) -> bool:
        """Invoke `rotate` as the schedule does; false if it took that for the same tick again."""
        event = json.dumps({"trigger": "schedule", "account": account})
        answer = self.aws.client("lambda").invoke(FunctionName=self._function, Payload=event)
        body = json.load(answer["Payload"])
        outcome = body["errorType"] if "FunctionError" in answer else body["outcome"]
        if outcome not in (self._expected[account], "fresh"):
            raise RuntimeError(f"rotating account {account} ended with {outcome}, not with {self._expected[account]}")
        return bool(outcome != "fresh")

    def token_calls(self) -> int:
        """How many tokens were asked for so far."""
        return len(self.talend.token_calls()) + len(self.slow_talend.token_calls())

    def versions(self, accounts: Sequence[str]) -> int:
        """How many versions their token secrets hold."""
        secrets = self.aws.client("secretsmanager")
        names = [f"talend/{name}/token" for name in accounts]
        return sum(
            len(secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True, MaxResults=100)["Versions"])
            for name in names
        )

    def lock_items(self) -> int:
        """How many items the lock table has."""
        resource = self.aws.client("cloudformation").describe_stack_resource(
            StackName=self.stack.name, LogicalResourceId="LockTable"
        )
        table = resource["StackResourceDetail"]["PhysicalResourceId"]
        pages = self.aws.client("dynamodb").get_paginator("scan").paginate(TableName=table, Select="COUNT")
        return sum(page["Count"] for page in pages)

    def cpu_seconds(self) -> Counter[str]:
        """User and system time so far, by whose it is."""
        assert self.aws.server_pid is not None
        workers = [worker["pid"] for worker in self.aws.workers() if worker["function"] == self._function]
        return Counter(
            {
                OURS: sum(map(cpu_seconds, workers)),
                AWS: cpu_seconds(self.aws.server_pid),
                CALLING: cpu_seconds(os.getpid()),
            }
        )

    def calls_of_a_rotation(self, accounts: Sequence[str]) -> dict[str, float]:
        """Of the AWS, by service and operation, from the local AWS's own trail; that is off otherwise."""
        # Until none of them is so young that a run would only read it.
        time.sleep(SAME_TICK_SECONDS)
        started = time.time()
        self._record(True)
        for account in accounts:
            if not self.rotate(account):
                raise RuntimeError(f"the token of account {account} is too young to be rotated")
        self._record(False)
        found = self.aws.client("cloudtrail").lookup_events()["Events"]
        recorded = [event for event in found if event["EventTime"].timestamp() >= started]
        if len(recorded) == len(found) == TRAIL_CALLS:
            raise RuntimeError(f"the local AWS's trail shows its last {TRAIL_CALLS} calls only: record fewer rotations")
        names = Counter(f"{event['EventSource'].partition('.')[0]} {event['EventName']}" for event in recorded)
        return {name: count / len(accounts) for name, count in sorted(names.items()) if not name.startswith("lambda ")}

    @property
    def _function(self) -> str:
        return self.stack.outputs["RotateFunctionName"]

    def _create(self, name: str, credentials: str, expected: str) -> None:
        secrets = self.aws.client("secretsmanager")
        secrets.create_secret(Name=f"talend/{name}/token")
        secrets.create_secret(Name=f"talend/{name}/credentials", SecretString=credentials)
        self._expected[name] = expected

    def _rotate_all(self, accounts: Sequence[str]) -> None:
        """By as many callers as there will ever be, so that each finds a warm function later."""
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            list(pool.map(self.rotate, accounts))

    def _record(self, on: bool) -> None:
        setting = {"cloudtrail._recording_enabled": str(on)}
        requests.post(f"{self.aws.endpoint_url}/_ministack/config", json=setting, timeout=10).raise_for_status()


@contextmanager
def deployed() -> Iterator[Fleet]:
    """The stack, with what is measured on it."""
    progress("starting an embedded local AWS and two Talend simulators")
    settings = Settings(speed=SPEED)
    with (
        LocalAWS(concurrency=CONCURRENCY) as aws,
        TalendSimulator(settings=settings) as talend,
        TalendSimulator(settings=settings) as slow_talend,
        environment(aws.environment()),
    ):
        # The head at once, the body a second later.
        slow_talend.faults.add(Drip(interval_seconds=SLOW_SECONDS, chunk_bytes=1_000_000), times=None)
        stack = deploy_quiet_stack(aws, talend)
        # Credentials that are put rotate at once: here each rotation is to be one of those that are counted.
        for rule in aws.client("events").list_rules()["Rules"]:
            aws.client("events").disable_rule(Name=rule["Name"])
        yield Fleet(aws, stack, talend, slow_talend)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all of its threads together [proc(5), /proc/pid/stat]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle_seconds() -> float:
    """For how long the machine's cores had nothing to do so far, added up [proc(5), /proc/stat]."""
    return int(Path("/proc/stat").read_text().split(maxsplit=5)[4]) / os.sysconf("SC_CLK_TCK")
