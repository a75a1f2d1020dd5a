"""Rows of the matrix: the way to the token endpoint, and connections that died while a warm function kept them.

The probe leaves the body of its answer unread, so its connection is not kept.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from doubles import raw_server
from doubles.tls_server import tls_context
from faults.matrix import aws_faults as aws
from faults.matrix.aws_wire import at, lost
from faults.matrix.cases import Case
from faults.matrix.columns import ATTEMPTS, Expected, asks, healthy
from faults.matrix.faults import NO_TIME_TO_WAIT, Arm, Fault, row
from faults.matrix.world import World
from rotator.domain.credentials import Credentials
from rotator.domain.invocation import Invocation, Trigger
from talend_simulator import Broken, TalendSimulator
from talend_simulator.server import Server

type Keep = Callable[[Case], Server | TalendSimulator]
"""Makes a client use a connection, and returns the server."""

# Enough for the calls before the run.
_SECONDS = 20


def unreachable() -> Iterator[Fault]:
    ways: dict[str, tuple[Callable[[World], str], str]] = {
        "connection refused": (lambda _: "http://127.0.0.1:1", "NewConnectionError"),
        "DNS failure": (lambda _: "https://api.nowhere.invalid", "NameResolutionError"),
        "reset at once": (partial(_server, _reset, "http:"), "ConnectionError"),
        "a server that leaves at once": (partial(_server, lambda _: None, "http:"), "ConnectionError"),
        "TLS failure: no TLS is spoken there": (partial(_server, _no_tls, "https:"), "SSLError"),
        "TLS failure: a certificate of nobody": (lambda world: _tls_server(world)[0], "SSLError"),
    }
    for name, (url, kind) in ways.items():
        yield row(name, _at_url(url), Expected("TokenUnavailable", 0, f"{kind}) after {ATTEMPTS} attempts"))
    mistaken = Expected("TokenUnavailable", 0, f"SSLError) after {ATTEMPTS} attempts")
    yield row("TLS failure: the certificate of another host", _trust_another_host, mistaken)
    hangs = _at_url(partial(_server, _swallow, "https:"), seconds=NO_TIME_TO_WAIT)
    yield row("a TLS handshake that hangs", hangs, Expected("TokenUnavailable", 0, "Timeout"))


def _at_url(url: Callable[[World], str], seconds: float = 60) -> Arm:
    def arm(case: Case) -> None:
        case.seconds = seconds
        case.world.with_environment(TALEND_API_URL=url(case.world))

    return arm


def _trust_another_host(case: Case) -> None:
    """The certificate says `localhost`, and is trusted."""
    url, certificate = _tls_server(case.world)
    case.world.with_environment(TALEND_API_URL=url.replace("localhost", "127.0.0.1"))
    endpoint: Any = case.world.rotator.publisher.issuer.token_endpoint
    endpoint.session.verify = certificate


def _server(serve: Callable[[socket.socket], None], scheme: str, world: World) -> str:
    """Return the base URL of a server."""
    return world.until_calm.enter_context(raw_server(serve)).replace("http:", scheme)


def _tls_server(world: World) -> tuple[str, str]:
    """Return the base URL of a TLS server, and the path of its certificate."""
    folder = Path(world.until_calm.enter_context(TemporaryDirectory()))
    url = world.until_calm.enter_context(raw_server(lambda _: None, tls_context(folder)))
    return url, str(folder / "server.pem")


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _no_tls(connection: socket.socket) -> None:
    connection.recv(1_000)
    connection.sendall(b"220 ready\r\n")


def _swallow(connection: socket.socket) -> None:
    while connection.recv(1_000):
        pass


def kept() -> Iterator[Fault]:
    clients: dict[str, tuple[tuple[Keep, ...], Callable[..., bool]]] = {
        "a kept connection to Secrets Manager": ((secrets_manager,), lambda *_: True),
        "a kept connection to the lock table": ((lock_table,), aws.makes(aws.LOCK)),
        "a kept connection to the token endpoint": ((token_endpoint,), asks),
        "every kept connection": ((secrets_manager, lock_table, token_endpoint), lambda *_: True),
    }
    for how in Broken:
        for name, (keeps, hits) in clients.items():
            yield Fault(f"{name}: {how}", partial(broken, how, keeps), healthy, hits)
    for name in (aws.READ_TOKEN, aws.LOCK, aws.STAGE, aws.PROMOTE, aws.UNLOCK):
        title = f"{name}: done, and its connection reset, once"
        yield Fault(title, partial(_reset_after, name), healthy, aws.makes(name))


def broken(how: Broken, keeps: tuple[Keep, ...], case: Case) -> None:
    """Break the connection of each of these clients."""
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
    account, world = case.account, case.world
    credentials = Credentials("credentials", "v1", account.client_id, account.client_secret, world.talend.url)
    world.rotator.publisher.issuer.token_endpoint.request_token(credentials, world.clock() + _SECONDS)
    return world.talend


def _reset_after(name: str, case: Case) -> None:
    case.world.with_sockets()
    at(name, lost, times=1)(case)
