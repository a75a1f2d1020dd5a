"""Rows of the matrix: connections that died while a warm function idled, for each client that keeps one.

The probe leaves the body of its answer unread, so its connection is not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from faults.matrix.aws_arming import at, lost
from faults.matrix.aws_faults import LOCK, PROMOTE, READ_TOKEN, STAGE, UNLOCK, makes, repeatable
from faults.matrix.cases import Case
from faults.matrix.faults import Fault, asks, healthy
from rotator.domain.credentials import Credentials
from rotator.domain.invocation import Invocation, Trigger
from talend_simulator import Broken, TalendSimulator
from talend_simulator.server import Server

type Keep = Callable[[Case], Server | TalendSimulator]
"""Has a client use a connection, and returns what it is connected to."""

# Enough for what is asked before the run.
_SECONDS = 20


def rows() -> Iterator[Fault]:
    clients: dict[str, tuple[Keep, Callable[..., bool]]] = {
        "Secrets Manager": (secrets_manager, lambda *_: True),
        "the lock table": (lock_table, makes(LOCK)),
        "the token endpoint": (token_endpoint, asks),
    }
    for how in Broken:
        for name, (keep, hits) in clients.items():
            yield Fault(f"a kept connection to {name}: {how}", partial(broken, how, (keep,)), healthy, hits)
        three = (secrets_manager, lock_table, token_endpoint)
        yield Fault(f"every kept connection: {how}", partial(broken, how, three), healthy, lambda *_: True)
    for name in (READ_TOKEN, LOCK, STAGE, PROMOTE, UNLOCK):
        title = f"{name}: done, and its connection reset, once"
        yield repeatable(Fault(title, partial(_reset, name), healthy, makes(name)), name)


def broken(how: Broken, keeps: tuple[Keep, ...], case: Case) -> None:
    case.world.with_sockets()
    for keep in keeps:
        assert keep(case).break_kept(how)
    case.world.aws.calls.clear()


def secrets_manager(case: Case) -> Server:
    case.world.rotator.secrets.describe(case.secret_id("token"))
    return case.world.aws_servers["secretsmanager"]


def lock_table(case: Case) -> Server:
    lock = case.world.rotator.publisher.lock
    invocation = Invocation(Trigger.SCHEDULE, case.world.clock() + _SECONDS, case.name)
    lock.acquire(invocation, "no version")
    lock.release(invocation, "no version", None)
    return case.world.aws_servers["dynamodb"]


def token_endpoint(case: Case) -> TalendSimulator:
    credentials = Credentials(
        case.secret_id("credentials"), "v1", case.account.client_id, case.account.client_secret, case.world.talend.url
    )
    endpoint = case.world.rotator.publisher.issuer.token_endpoint
    endpoint.request_token(credentials, case.world.clock() + _SECONDS)
    return case.world.talend


def _reset(name: str, case: Case) -> None:
    case.world.with_sockets()
    at(lambda call: call.name == name, lost, times=1)(case)
