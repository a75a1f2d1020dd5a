"""A server on a loopback port: the Talend simulator, the doubles and the client kit differ in what they answer."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STOP_SECONDS = 5


class LoopbackServer(socketserver.ThreadingTCPServer):
    """Listens from the moment it is made; within `with` it serves each connection in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True
    # A thousand clients may connect at the same moment; the kernel cuts this to its own limit.
    request_queue_size = 4096

    def __init__(self, handler: type[socketserver.BaseRequestHandler], host: str = "127.0.0.1", port: int = 0) -> None:
        self.connections: set[Any] = set()
        """Those that are open."""
        super().__init__((host, port), handler)
        self.port: int = self.server_address[1]

    def __enter__(self) -> LoopbackServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Free the port, and end every connection and its thread."""
        self.shutdown()
        self.server_close()
        deadline = time.monotonic() + _STOP_SECONDS
        self.close_connections()
        while self.connections and time.monotonic() < deadline:
            time.sleep(0.002)

    def close_connections(self) -> None:
        """Close those that are open now, and let their threads end."""
        for connection in list(self.connections):
            # It may have ended on its own meanwhile.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.connections.discard(request)

    def handle_error(self, *_: object) -> None:
        """Raise what is a defect of the server; a client may leave at any time."""
        if not isinstance(sys.exc_info()[1], OSError):
            raise


class HttpHandler(BaseHTTPRequestHandler):
    """Has each request answered by `answer`, which subclasses define, and prints nothing."""

    protocol_version = "HTTP/1.1"
    # Some answers are sent in pieces on purpose, so each piece leaves at once.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        try:
            body = self._read_body()
        except ValueError:
            raise ConnectionAbortedError("the client has left inside its request") from None
        self.answer(body)

    do_POST = do_PUT = do_GET  # noqa: N815 (the names are http.server's)

    def answer(self, body: bytes) -> None:
        raise NotImplementedError

    def _read_body(self) -> bytes:
        """Return the body of the request, which may come in chunks."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                raise ValueError
            return body
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size + 2)[:-2]
        self.rfile.readline()
        return body

    def send(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""
