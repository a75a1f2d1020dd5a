"""A server that answers, octet for octet, what a test wants."""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from loopback import LoopbackServer

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@contextmanager
def raw_server(
    serve: Callable[[socket.socket], None],
    tls: ssl.SSLContext | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[str]:
    """Call `serve` with each connection on a loopback port, a free one if it is 0, in a thread each; yields the URL.

    An OSError of `serve` means that the client has left, or that the block has ended.
    """

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if tls is None:
                serve(self.request)
                return
            # The original would be detached, and with it what the end of the block shuts down.
            with tls.wrap_socket(self.request.dup(), server_side=True) as wrapped:
                serve(wrapped)

    with LoopbackServer(Handler, host, port) as server:
        yield f"{'https' if tls else 'http'}://localhost:{server.port}"


def read_request(connection: socket.socket) -> bytes:
    """Return one whole request. A connection that is closed with anything unread is reset, and its answer is lost.

    Raises:
        OSError: the client has left.
    """
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += _received(connection)
    head, _, body = octets.partition(b"\r\n\r\n")
    announced = _CONTENT_LENGTH.search(head)
    while len(body) < (int(announced[1]) if announced else 0):
        body += _received(connection)
    return head + b"\r\n\r\n" + body


def _received(connection: socket.socket) -> bytes:
    octets = connection.recv(65_536)
    if not octets:
        raise ConnectionAbortedError("the client has left")
    return octets
