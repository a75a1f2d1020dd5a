"""From a 401 to a working token for many consumers at once, with the functions deployed to the embedded local AWS."""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

from bench.conversation import Conversation
from bench.measurement import Spread, Table, in_turns, percentiles, progress
from bench.quiet_stack import deploy_quiet_stack
from demo.consumer import API_PATH
from demo.deployment import Stack
from local_aws import LocalAWS
from local_aws.waiting import eventually
from talend_simulator import Account, TalendSimulator

OURS = "**talend_token.requests**"
CACHING = "aws-secretsmanager-caching by hand: renew, `refresh_secret_now`"
MINTING = "each requests its own token"
KINDS = {OURS: "ours", CACHING: "caching", MINTING: "minting"}
TITLE = "From a 401 to a working token, for many at once"
# Rounds by the number of consumers: warm, and cold. Each spends two versions of a secret that takes some 85 a day.
ROUNDS = {1: (20, 6), 100: (4, 3), 1000: (2, 1)}
QUICK_ROUNDS = {1: (2, 1), 20: (1, 1)}
# In a process. More threads than that wait for each other more than for the servers.
CONSUMERS_A_PROCESS = 250
# Runs of `renew` at the same moment; AWS's default is 1,000, which two cores do not hold.
CONCURRENCY = 16
# Renewals leave a token alone that is younger than a minute.
BACKDATED_SECONDS = 600
# From the word to the moment at which all call.
_LEAD_SECONDS = 1.0


@dataclass
class Herd:
    """Consumers of one kind and number, with a Talend account of their own."""

    aws: LocalAWS
    stack: Stack
    talend: TalendSimulator
    account: Account
    processes: Sequence[Conversation]
    cold: bool = False
    seconds: list[float] = field(default_factory=list)
    """Of each consumer of all rounds that ended with 200."""
    ends: Counter[str] = field(default_factory=Counter)
    token_calls: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    @property
    def secret(self) -> str:
        return f"talend/{self.account.client_id}/token"

    def __call__(self) -> float:
        """Have them all meet a 401; the seconds until the last has its answer."""
        self._backdate()
        for process in self.processes:
            process.tell("hold")
        for process in self.processes:
            process.answer()
        self.talend.tokens.revoke_all(self.account.client_id)
        functions = self.aws.client("lambda")
        name = self.stack.outputs["RenewFunctionName"]
        if self.cold:
            for pid in self._instances(name):
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: not self._instances(name))
        else:
            # It is told of a version that is not the published one, and has nothing to do.
            event = json.dumps({"account": self.account.client_id, "rejected_version_id": "0" * 36})
            with ThreadPoolExecutor(CONCURRENCY) as pool:
                list(pool.map(lambda _: functions.invoke(FunctionName=name, Payload=event), range(CONCURRENCY)))
        before = self._token_calls(), self._versions()
        moment = time.time() + _LEAD_SECONDS
        for process in self.processes:
            process.tell(f"call {moment}")
        ends = [end for process in self.processes for end in process.answer()]
        self.token_calls.append(self._token_calls() - before[0])
        self.versions.append(self._versions() - before[1])
        self.seconds += [seconds for seconds, end in ends if end == 200]
        self.ends.update(str(end) for _, end in ends)
        return float(max(seconds for seconds, _ in ends))

    def _instances(self, function: str) -> list[int]:
        return [worker["pid"] for worker in self.aws.workers() if worker["function"] == function]

    def _backdate(self) -> None:
        secrets = self.aws.client("secretsmanager")
        document = json.loads(secrets.get_secret_value(SecretId=self.secret)["SecretString"])
        document["issued_at"] -= BACKDATED_SECONDS
        document["version_id"] = version_id = str(uuid.uuid4())
        secrets.put_secret_value(SecretId=self.secret, SecretString=json.dumps(document), ClientRequestToken=version_id)

    def _token_calls(self) -> int:
        return len(self.talend.token_calls())

    def _versions(self) -> int:
        listed = self.aws.client("secretsmanager").list_secret_version_ids(
            SecretId=self.secret, IncludeDeprecated=True, MaxResults=100
        )
        return len(listed["Versions"])


def run(quick: bool) -> list[Table]:
    """Deploy, and have each kind and number of consumers meet a 401 by turns, with a warm and with a cold function."""
    found: dict[tuple[int, str, bool], Herd] = {}
    with _deployed() as (aws, stack, talend):
        for count, (warm, cold) in (QUICK_ROUNDS if quick else ROUNDS).items():
            with ExitStack() as processes:
                herds = {}
                for kind in KINDS:
                    progress(f"{count:,} consumers are started: {KINDS[kind]}")
                    herd = _herd(aws, stack, talend, kind, count, processes)
                    herds[kind, False] = herd
                    if kind != MINTING:
                        herds[kind, True] = replace(
                            herd, cold=True, seconds=[], ends=Counter(), token_calls=[], versions=[]
                        )
                for is_cold, rounds in ((False, warm), (True, cold)):
                    in_turns({kind: herd for (kind, when), herd in herds.items() if when is is_cold}, rounds)
            found |= {(count, kind, when): herd for (kind, when), herd in herds.items()}
    rows = [_row(*key, herd) for key, herd in found.items()]
    header = (
        "consumers",
        "",
        "`renew`",
        "rounds",
        "p50, s",
        "p99, s",
        "last, s",
        "token calls",
        "versions",
        "succeed",
    )
    most = max(count for count, _, _ in found)
    figures = {
        kind: {
            "consumers": most,
            "token calls": statistics.median(herd.token_calls),
            "seconds": statistics.median(herd.seconds),
        }
        for (count, kind, is_cold), herd in found.items()
        if count == most and not is_cold and herd.seconds
    }
    return [Table(TITLE, header, rows, NOTES, figures)]


NOTES = (
    "A number of consumers hold a valid token of one account, and Talend revokes it. At the same moment each of "
    "them calls the API, gets the 401, and continues until its call is answered with 200. The seconds count from "
    "that moment, over all consumers of all rounds: when half of them and 99 % are done, and the slowest. Token "
    "calls and versions of the secret are those of one round: median (minimum to maximum). Cold means that no "
    "instance of `renew` is left when they call. The consumers are threads, each with a client and a token of its "
    f"own, in processes of {CONSUMERS_A_PROCESS} that share the SDK's clients. They share this machine's cores "
    f"with the functions, AWS and Talend. At most {CONCURRENCY} runs of `renew` are admitted at once, where AWS "
    "allows 1,000, and 8 calls of AWS by each process of consumers. So the seconds of 1,000 consumers are those "
    "of a queue for two cores: they show which way is cheaper, not how long it takes on AWS. A consumer that "
    "requests its own token needs no function and no secret, and is done first, because this simulator's token "
    "endpoint is fast. The price is the number of token calls, which Talend may throttle, and credentials in "
    "every consumer."
)


def _row(count: int, kind: str, cold: bool, herd: Herd) -> list[str]:
    p50, p99 = percentiles(herd.seconds)
    return [
        f"{count:,}",
        kind,
        "" if kind == MINTING else "cold" if cold else "warm",
        str(len(herd.token_calls)),
        p50,
        p99,
        f"{max(herd.seconds, default=0):.2f}",
        Spread.of(herd.token_calls).text(),
        Spread.of(herd.versions).text(),
        ", ".join(f"{number:,}" if end == "200" else f"{number:,}: {end}" for end, number in sorted(herd.ends.items())),
    ]


@contextmanager
def _deployed() -> Iterator[tuple[LocalAWS, Stack, TalendSimulator]]:
    progress("starting an embedded local AWS and a Talend simulator")
    with LocalAWS(concurrency=CONCURRENCY) as aws, TalendSimulator() as talend:
        yield aws, deploy_quiet_stack(aws, talend), talend


def _herd(aws: LocalAWS, stack: Stack, talend: TalendSimulator, kind: str, count: int, processes: ExitStack) -> Herd:
    """Consumers with an account of their own, whose first token is published."""
    account = talend.add_account(Account(client_id=f"{KINDS[kind]}-{count}"))
    secrets, name = aws.client("secretsmanager"), f"talend/{account.client_id}"
    secrets.create_secret(Name=f"{name}/token")
    # New credentials start a rotation by themselves.
    secrets.create_secret(Name=f"{name}/credentials", SecretString=account.credentials)
    eventually(lambda: "AWSCURRENT" in str(secrets.describe_secret(SecretId=f"{name}/token").get("VersionIdsToStages")))
    asked = {
        "secret": f"{name}/token",
        "function": stack.outputs["RenewFunctionName"],
        "account": account.client_id,
        "url": talend.url + API_PATH,
        "api_url": talend.url,
        "token_url": talend.token_url,
        "client_id": account.client_id,
        "client_secret": account.client_secret,
    }
    shares = [min(CONSUMERS_A_PROCESS, count - start) for start in range(0, count, CONSUMERS_A_PROCESS)]
    command = [sys.executable, "-m", "bench.healing_consumers", KINDS[kind]]
    environment = {**os.environ, **aws.environment()}
    started = [
        processes.enter_context(Conversation([*command, str(share), json.dumps(asked)], environment))
        for share in shares
    ]
    return Herd(aws, stack, talend, account, started)
