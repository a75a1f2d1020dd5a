"""Rows of the matrix: the way to the token endpoint."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from doubles import raw_server
from doubles.tls_server import tls_context
from faults.matrix.cases import Case
from faults.matrix.faults import ATTEMPTS, NO_TIME_TO_WAIT, Expected, Fault
from faults.matrix.world import World
from rotator.adapters.bounded_http import BoundedSession

Serve = Callable[[socket.socket], None]


def rows() -> Iterator[Fault]:
    yield _unreachable("connection refused", lambda _: f"http://127.0.0.1:{_closed_port()}", "NewConnectionError")
    yield _unreachable("DNS failure", lambda _: "https://api.nowhere.invalid", "NameResolutionError")
    yield _unreachable("reset at once", lambda world: _server(world, _reset), "ConnectionError")
    yield _unreachable("a server that leaves at once", lambda world: _server(world, lambda _: None), "ConnectionError")
    yield _unreachable(
        "TLS failure: no TLS is spoken there", lambda world: _secure(_server(world, _no_tls)), "SSLError"
    )
    yield _unreachable("TLS failure: a certificate of nobody", lambda world: _tls_server(world)[0], "SSLError")
    yield _unreachable(
        "TLS failure: the certificate of another host",
        # It says `localhost`, and is trusted.
        lambda world: _tls_server(world)[0].replace("localhost", "127.0.0.1"),
        "SSLError",
        trusted=True,
    )
    yield _unreachable(
        "a TLS handshake that hangs", lambda world: _secure(_server(world, _swallow)), "Timeout", cut_short=True
    )


def _unreachable(
    name: str, url: Callable[[World], str], kind: str, *, trusted: bool = False, cut_short: bool = False
) -> Fault:
    def arm(case: Case) -> None:
        case.world.with_settings(api_url=url(case.world))
        if trusted:
            session = BoundedSession()
            session.verify = _tls_server(case.world)[1]
            case.world.with_token_endpoint(session=session)
        if cut_short:
            case.seconds = NO_TIME_TO_WAIT

    tries = "" if cut_short else f" after {ATTEMPTS} attempts"
    says = f"{kind}){tries}"
    return Fault(name, arm, lambda *_: Expected("TokenUnavailable", 0, says))


def _closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def _secure(url: str) -> str:
    return url.replace("http:", "https:")


def _server(world: World, serve: Serve) -> str:
    """The base URL of a server that is there until the world ends."""
    return world.lasting(serve.__qualname__, lambda: raw_server(serve))


def _tls_server(world: World) -> tuple[str, str]:
    """The base URL of a TLS server, and the path of its certificate."""
    folder = Path(world.lasting("a folder", TemporaryDirectory))
    url = world.lasting("a TLS server", lambda: raw_server(lambda _: None, tls_context(folder)))
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
