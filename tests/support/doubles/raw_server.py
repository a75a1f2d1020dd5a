"""A server that says, octet for octet, what a test has it say."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

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

    `serve` ends with an OSError, which is taken for the client's leaving, at the end of the block at the latest.
    """
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve_one(connection: socket.socket) -> None:
        with suppress(OSError):
            if tls is None:
                serve(connection)
            else:
                # The original is detached then, and with it what the end of the block would shut down.
                with tls.wrap_socket(connection.dup(), server_side=True) as wrapped:
                    serve(wrapped)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threads.append(threading.Thread(target=serve_one, args=(connection,), daemon=True))
                threads[-1].start()

    with closing(socket.create_server((host, port))) as listener:
        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield f"{'https' if tls else 'http'}://localhost:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    accepting.join(5)
    for connection in connections:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(5)


def read_request(connection: socket.socket) -> bytes:
    """One whole request: a connection that is closed with anything unread is reset, and what was said is lost.

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
