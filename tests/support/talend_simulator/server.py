"""The HTTP server: a thread for each connection, on loopback only."""

import contextlib
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from enum import StrEnum
from http.server import BaseHTTPRequestHandler
from typing import Any

from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request

Exchange = Callable[[Request, Connection], None]


class Broken(StrEnum):
    """How a connection died that its client keeps for its next request."""

    RESET = "reset"
    """The next request is answered with a reset, as by a NAT gateway that has forgotten the connection."""
    CLOSED = "closed"
    """It was closed in the ordinary way, and the client may notice that before its next request."""
    SILENT = "silent"
    """The next request is swallowed, and nothing is ever answered."""


class Handler(BaseHTTPRequestHandler):
    """Reads requests from one connection and passes each to the server's exchange."""

    protocol_version = "HTTP/1.1"
    # Answers are small, and some are sent in pieces on purpose, so each piece leaves at once.
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        connection = Connection(self.connection, self.server.stalls, keep_alive=not self.close_connection)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        broken = self.server.connections.get(self.connection)
        if broken is Broken.RESET:
            connection.reset()
        elif broken:
            connection.wait()
        else:
            path = self.path.partition("?")[0]
            self.server.exchange(Request(self.command, path, self.headers, body), connection)
        self.close_connection = not connection.keep_alive

    do_POST = do_GET  # noqa: N815 (the name is http.server's)

    def log_message(self, *_: object) -> None:
        """Print nothing, because the journal is the log."""


class Server(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1 from the moment it is made, and serves between `start` and `stop`."""

    # A thousand clients may connect at the same moment; the kernel cuts this to its own limit.
    request_queue_size = 4096

    def __init__(self, port: int, exchange: Exchange, stalls: Stalls) -> None:
        self.exchange = exchange
        self.stalls = stalls
        self.connections: dict[Any, Broken | None] = {}
        """Those that are open, and how they are broken."""
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        super().__init__(("127.0.0.1", port), Handler)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End every connection and all threads, and free the port."""
        self.shutdown()
        self._thread.join()
        self.break_kept(Broken.CLOSED)
        # This waits for the connections' threads.
        self.server_close()

    def break_kept(self, how: Broken) -> int:
        """Break the connections that are open now, which must be idle; return their number."""
        with self._lock:
            kept = list(self.connections)
            if how is Broken.CLOSED:
                self.connections.clear()
                for connection in kept:
                    # It may have ended on its own meanwhile.
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)
            else:
                self.connections = dict.fromkeys(kept, how)
        return len(kept)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self.connections[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self.connections.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report a defect of the simulator on stderr; a client may leave at any time."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
