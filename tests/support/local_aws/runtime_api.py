"""The Runtime API of one worker: the HTTP interface by which a Lambda runtime takes invocations and answers them.

Paths, headers and statuses are those of the Lambda developer guide, "Using the Lambda runtime API" (2018-06-01).
"""

import contextlib
import re
import socket
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Literal

from loopback import HttpHandler

PREFIX = "/2018-06-01/runtime"
RESULT_PATH = re.compile(rf"{PREFIX}/invocation/(?P<id>[^/]+)/(?P<kind>response|error)")


@dataclass(frozen=True)
class Invocation:
    """One event for one function, with what the runtime learns about it."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended: the answer or the error as JSON text, and Lambda's word for it."""

    payload: bytes
    status: Literal["success", "error", "failure", "timeout"]
    error_type: str = ""
    """Why the platform gave the invocation up, as its report says."""


class RuntimeAPI:
    """Serves one worker on a port of its own, so that no worker can take or answer an invocation of another."""

    def __init__(self) -> None:
        # Done once the runtime has asked for its first invocation, or has said why it never will.
        self.initialised: Future[Outcome | None] = Future()
        self.next: SimpleQueue[tuple[Invocation, int] | None] = SimpleQueue()
        self.pending: dict[str, Future[Outcome]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        """The value of AWS_LAMBDA_RUNTIME_API."""
        threading.Thread(target=self._accept, daemon=True, name="runtime-api").start()

    def _accept(self) -> None:
        while True:
            try:
                connection, client = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=_Connection, args=(connection, client, self), daemon=True).start()

    def close(self) -> None:
        """Stop listening, and end the connection that waits for an invocation."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.next.put(None)

    def submit(self, invocation: Invocation, deadline_ms: int) -> Future[Outcome]:
        """Hand an invocation to the runtime when it asks for the next one."""
        outcome = self.pending[invocation.request_id] = Future()
        self.next.put((invocation, deadline_ms))
        return outcome


class _Connection(HttpHandler):
    # The head and the body of an answer leave together.
    wbufsize = -1
    server: Any

    def handle(self) -> None:
        # A worker that is killed resets its connection.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def answer(self, body: bytes) -> None:
        if self.command == "GET":
            self._next()
            return
        if self.path == f"{PREFIX}/init/error":
            self.server.initialised.set_result(Outcome(body, "error"))
        elif match := RESULT_PATH.fullmatch(self.path):
            status: Literal["success", "error"] = "error" if match["kind"] == "error" else "success"
            self.server.pending.pop(match["id"]).set_result(Outcome(body, status))
        self.send(202, {})

    def _next(self) -> None:
        if not self.server.initialised.done():
            self.server.initialised.set_result(None)
        taken = self.server.next.get()
        if taken is None:
            self.close_connection = True
            return
        invocation, deadline_ms = taken
        headers = {
            "content-type": "application/json",
            "lambda-runtime-aws-request-id": invocation.request_id,
            "lambda-runtime-deadline-ms": str(deadline_ms),
            "lambda-runtime-invoked-function-arn": invocation.function_arn,
            "lambda-runtime-trace-id": invocation.trace_id,
        }
        self.send(200, headers, invocation.payload)
