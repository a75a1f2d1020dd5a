"""Many consumers that meet a 401 at the same moment: `python -m bench.healing_consumers`, told what by its arguments.

Each is a thread with a token of its own in hand, as if it were a process of its own; what they share, because a process
a piece does not fit one machine, is the SDK's clients. On its standard input it takes `hold`, upon which each gets a
token, and `call MOMENT`: at that moment each calls the API with it. It answers with how that ended.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import requests
from aws_secretsmanager_caching import SecretCache
from botocore.config import Config

from bench.by_hand import TIMEOUT_SECONDS
from bench.crowd import at_a_moment
from talend_token import TokenClient
from talend_token._sources import Published, Renewal
from talend_token.requests import TalendAuth
from talend_token.secrets_manager import SecretsManagerSource

# A thread's way to an answer is short; 1,000 stacks of the default size are not.
_STACK_BYTES = 512 * 1024
# What a herd on one machine waits for that a herd on a thousand does not.
_PATIENT = Config(connect_timeout=60, read_timeout=300, max_pool_connections=500, retries={"total_max_attempts": 1})
# How many get their first token at once.
_HOLDING = 4

# Calls of the embedded AWS by one process at the same moment: it is one process too, and a thousand at once would keep
# it from answering the function that all of them wait for.
_turn = threading.BoundedSemaphore(8)

Call = Callable[[], int]
"""One API call; the result is the last status."""


class PatientSession(boto3.session.Session):
    """Has time limits that a crowd on two cores keeps to."""

    def client(self, *args: Any, **options: Any) -> Any:
        return super().client(*args, **options | {"config": _PATIENT})


class TakingTurns(SecretsManagerSource):
    """Waits for its turn before it calls AWS."""

    def read(self) -> Published:
        with _turn:
            return super().read()

    def renew(self, rejected_version_id: str) -> Renewal:
        with _turn:
            return super().renew(rejected_version_id)


def ours(asked: dict[str, str]) -> Callable[[], Call]:
    """The client, by its way into `requests`."""
    source = TakingTurns(asked["secret"], asked["function"], session=PatientSession())

    def consumer() -> Call:
        client = TokenClient(source, renewal_timeout_seconds=TIMEOUT_SECONDS)
        auth = TalendAuth(client)
        client.get_token()

        def call() -> int:
            with requests.Session() as session:
                session.auth = auth
                return session.get(asked["url"], timeout=TIMEOUT_SECONDS).status_code

        return call

    return consumer


def caching(asked: dict[str, str]) -> Callable[[], Call]:
    """aws-secretsmanager-caching; on a 401 it has the version renewed, refreshes its cache, and tries once more."""
    session = PatientSession()
    secrets, functions = session.client("secretsmanager"), session.client("lambda")

    def consumer() -> Call:
        cache = SecretCache(client=secrets)
        cache.get_secret_string(asked["secret"])

        def get() -> tuple[int, str]:
            token = json.loads(cache.get_secret_string(asked["secret"]))["access_token"]
            return _status(asked["url"], token), token

        def call() -> int:
            status, token = get()
            if status == 401:
                with _turn:
                    _renew(functions, asked, token)
                cache.refresh_secret_now(asked["secret"])
                status, _ = get()
            return status

        return call

    return consumer


def _renew(functions: Any, asked: dict[str, str], token: str) -> None:
    event = {"account": asked["account"], "rejected_token_sha256": hashlib.sha256(token.encode()).hexdigest()}
    answer = json.load(functions.invoke(FunctionName=asked["function"], Payload=json.dumps(event))["Payload"])
    if answer.get("outcome") not in ("renewed", "already_renewed", "in_progress"):
        raise RuntimeError(f"the token was not renewed: {answer}")


def minting(asked: dict[str, str]) -> Callable[[], Call]:
    """Has the credentials and buys its own tokens: one at first, and one after a 401."""
    pair = (asked["client_id"], asked["client_secret"])

    def mint() -> str:
        body = {"audience": asked["api_url"], "grant_type": "client_credentials"}
        answer = requests.post(asked["token_url"], auth=pair, json=body, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        token: str = answer.json()["access_token"]
        return token

    def consumer() -> Call:
        held = mint()

        def call() -> int:
            status = _status(asked["url"], held)
            return _status(asked["url"], mint()) if status == 401 else status

        return call

    return consumer


def _status(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(url, headers=headers, timeout=TIMEOUT_SECONDS).status_code


KINDS = {"ours": ours, "caching": caching, "minting": minting}


def main() -> None:
    """Answer until the end of standard input."""
    kind, count, asked = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    threading.stack_size(_STACK_BYTES)
    consumer = KINDS[kind](asked)
    calls: list[Call] = []
    for line in sys.stdin:
        match line.split():
            case ["hold"]:
                with ThreadPoolExecutor(_HOLDING) as pool:
                    calls = list(pool.map(lambda _: consumer(), range(count)))
                print(json.dumps(len(calls)), flush=True)
            case ["call", moment]:
                print(json.dumps(at_a_moment(float(moment), calls)), flush=True)


if __name__ == "__main__":
    main()
