"""The HTTP server: a thread for each connection, on loopback only."""

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import Any, override
from urllib.parse import urlsplit

from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request, Response, json_response

# Token requests and control requests are small; the bound keeps a broken client from filling the memory.
MAX_BODY_BYTES = 1_048_576
# How long a thread may take to notice that its connection was shut down.
STOP_SECONDS = 5.0

Exchange = Callable[[Request, Connection], None]


class Broken(StrEnum):
    """How a connection has died that its client has kept to use it again."""

    RESET = "reset"
    """The next request is answered with a reset, as by a NAT gateway that has forgotten the connection."""
    CLOSED = "closed"
    """It was closed in the ordinary way, and the client may notice that before its next request."""
    SILENT = "silent"
    """The next request is swallowed, and nothing is ever answered."""


class Handler(BaseHTTPRequestHandler):
    """Reads requests from one connection and hands each to the server's exchange."""

    protocol_version = "HTTP/1.1"
    # Answers are small, some are sent in pieces on purpose: each piece leaves at once.
    disable_nagle_algorithm = True
    server: "Server"

    def _serve(self) -> None:
        connection = Connection(
            self.connection,
            self.server.stalls,
            head_only=self.command == "HEAD",
            keep_alive=not self.close_connection,
        )
        request = self._read_request()
        broken = self.server.broken.get(self.connection)
        if broken:
            connection.close()
            if broken is Broken.RESET:
                connection.reset()
            else:
                connection.wait()
        elif isinstance(request, Request):
            self.server.exchange(request, connection)
        else:
            # What is left of the request cannot be told from the next one.
            connection.close()
            connection.send(request)
        self.close_connection = not connection.keep_alive

    # The names by which the base class finds them.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _read_request(self) -> Request | Response:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            return json_response(411, {"message": "Content-Length is required"})
        if not (length.isascii() and length.isdecimal()):
            return json_response(400, {"message": "Content-Length is not a number"})
        if len(length) > 18 or int(length) > MAX_BODY_BYTES:
            return json_response(413, {"message": f"The body is larger than {MAX_BODY_BYTES} bytes"})
        try:
            target = urlsplit(self.path)
        except ValueError:
            return json_response(400, {"message": "The request target is not a URL"})
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError("the client left inside its request")
        return Request(self.command, target.path, self.client_address[0], target.query, self.headers, body)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """The journal is the log."""


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1 from the moment it is made, and serves between `start` and `stop`."""

    allow_reuse_address = True
    daemon_threads = True
    # A herd of a thousand clients connects at the same moment; the kernel cuts this to its own limit.
    request_queue_size = 4096

    def __init__(self, port: int, exchange: Exchange, stalls: Stalls) -> None:
        self.exchange = exchange
        self.stalls = stalls
        self.broken: dict[Any, Broken] = {}
        """Connections that answer no request any more."""
        self._changed = threading.Condition()
        self._connections: set[Any] = set()
        self._thread: threading.Thread | None = None
        self._stopping = False
        super().__init__(("127.0.0.1", port), Handler)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._accept, name="talend-simulator", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        """Like `serve_forever`, which would have to look up at intervals to see that it is to end."""
        while not self._stopping:
            self.handle_request()

    def stop(self) -> None:
        """End every connection and all threads, and free the port; `RuntimeError` if a thread does not end."""
        self._stopping = True
        thread, self._thread = self._thread, None
        if thread:
            # Wakes the thread, which waits for a connection.
            socket.create_connection(("127.0.0.1", self.server_address[1])).close()
            thread.join()
        with self._changed:
            for connection in self._connections:
                # It may have ended on its own meanwhile.
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            # Only now: an answer that was held back is not to go out after all.
            self.stalls.close()
            ended = self._changed.wait_for(lambda: not self._connections, STOP_SECONDS)
        self.server_close()
        if not ended:
            raise RuntimeError(f"a connection of the Talend simulator did not end within {STOP_SECONDS:g} seconds")

    def break_kept(self, how: Broken) -> int:
        """Break the connections that are open now, which nobody must be using; their number."""
        with self._changed:
            kept = list(self._connections)
            for connection in kept:
                if how is Broken.CLOSED:
                    # It may have ended on its own meanwhile.
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
                else:
                    self.broken[connection] = how
            if how is Broken.CLOSED:
                # Their threads end at once; until then the connections would still be counted.
                self._changed.wait_for(lambda: self._connections.isdisjoint(kept), STOP_SECONDS)
        return len(kept)

    @override
    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self._stopping

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self.broken.pop(request, None)
            self._changed.notify_all()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error; anything else is a defect of the simulator and goes to stderr."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
