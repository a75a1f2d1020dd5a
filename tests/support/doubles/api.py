"""A Talend API on a loopback port, which knows the tokens of an in-memory source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def token(self) -> str | None:
        """The Bearer token, if there is one."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclass
class Api:
    """Answers 200 to an accepted token and `refusal` to any other; a path of `redirects` is answered with one."""

    url: str = ""
    accepted: set[str] = field(default_factory=set)
    redirects: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    refusal: int = 401
    cookie: str = ""
    """Set by each refusal."""
    endless_refusals: bool = False
    """Their bodies never end."""
    redirect_status: int = 307
    on_call: Callable[[], object] = lambda: None

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve one request."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        call = Call(handler.command, handler.path, headers, _body(handler, headers))
        self.calls.append(call)
        self.on_call()
        if call.path in self.redirects:
            return _send(handler, self.redirect_status, {"Location": self.redirects[call.path]})
        if call.token in self.accepted:
            return _send(handler, 200, {}, b"welcome")
        if self.endless_refusals:
            return _send_for_ever(handler, self.refusal)
        return _send(handler, self.refusal, {"Set-Cookie": self.cookie} if self.cookie else {}, b"no")

    @property
    def tokens(self) -> list[str | None]:
        """The token of each call so far."""
        return [call.token for call in self.calls]


@contextmanager
def talend_api() -> Iterator[Api]:
    """A running API."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.answer(self)

        do_POST = do_PUT = do_GET  # noqa: N815 (the names are http.server's)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.request_queue_size = 1024
    server.socket.listen(1024)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _body(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return handler.rfile.read(int(headers.get("content-length", 0)))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def _send_for_ever(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.close_connection = True
    handler.send_response(status)
    handler.send_header("Content-Length", str(10**12))
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b"no" * 1000)


def _send(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
