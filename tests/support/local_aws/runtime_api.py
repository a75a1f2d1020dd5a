"""The Runtime API of one worker: the HTTP interface by which a Lambda runtime takes invocations and answers them.

Paths, headers and statuses are those of the Lambda developer guide, "Using the Lambda runtime API" (2018-06-01).
"""

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

import h11

RESULT_PATH = re.compile(r"/2018-06-01/runtime/invocation/(?P<id>[^/]+)/(?P<kind>response|error)")


@dataclass(frozen=True)
class Invocation:
    """One event for one function, with what the runtime is told about it."""

    request_id: str
    payload: bytes
    function_arn: str
    trace_id: str
    client_context: str = ""


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to: the payload of the answer or of the error as JSON text, and Lambda's word for it."""

    payload: bytes
    status: Literal["success", "error", "failure", "timeout"]
    error_type: str = ""
    """Why the platform gave the invocation up, as its report says."""


class RuntimeAPI:
    """Serves one worker on a port of its own, so that no worker can take or answer an invocation of another."""

    def __init__(self) -> None:
        # Done once the runtime has asked for its first invocation, or has said why it never will.
        self.initialised: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._next: asyncio.Queue[tuple[Invocation, int]] = asyncio.Queue()
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen on a free loopback port; the result is the value of AWS_LAMBDA_RUNTIME_API."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    def close(self) -> None:
        """Stop listening and cut the connections."""
        self._next.shutdown(immediate=True)
        if self._server is not None:
            self._server.close()
            self._server.close_clients()

    def submit(self, invocation: Invocation, deadline_ms: int) -> asyncio.Future[Outcome]:
        """Hand an invocation to the runtime when it asks for the next one."""
        outcome = self._pending[invocation.request_id] = asyncio.get_running_loop().create_future()
        self._next.put_nowait((invocation, deadline_ms))
        return outcome

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        try:
            while connection.our_state is h11.IDLE:
                request = await _receive(connection, reader, writer)
                if request is None:
                    return
                status, headers, body = await self._answer(*request)
                head = h11.Response(status_code=status, headers=[*headers, ("content-length", str(len(body)))])
                for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                    writer.write(connection.send(event) or b"")
                await writer.drain()
                if connection.states[h11.SERVER] is h11.DONE:
                    connection.start_next_cycle()
        except (ConnectionError, h11.RemoteProtocolError, asyncio.QueueShutDown):
            # The worker is gone, stopped, or no runtime at all: whoever waits for it sees its process end.
            return
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if (method, path) == ("GET", "/2018-06-01/runtime/invocation/next"):
            if not self.initialised.done():
                self.initialised.set_result(None)
            invocation, deadline_ms = await self._next.get()
            return 200, _headers(invocation, deadline_ms), invocation.payload
        if (method, path) == ("POST", "/2018-06-01/runtime/init/error"):
            if not self.initialised.done():
                self.initialised.set_result(Outcome(body, "error"))
            return 202, [], b""
        match = RESULT_PATH.fullmatch(path)
        pending = self._pending.pop(match["id"], None) if match and method == "POST" else None
        if match is None or pending is None:
            return 400, [], json.dumps({"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"}).encode()
        if not pending.done():
            pending.set_result(Outcome(body, "error" if match["kind"] == "error" else "success"))
        return 202, [], b""


def _headers(invocation: Invocation, deadline_ms: int) -> list[tuple[str, str]]:
    headers = [
        ("content-type", "application/json"),
        ("lambda-runtime-aws-request-id", invocation.request_id),
        ("lambda-runtime-deadline-ms", str(deadline_ms)),
        ("lambda-runtime-invoked-function-arn", invocation.function_arn),
        ("lambda-runtime-trace-id", invocation.trace_id),
    ]
    if invocation.client_context:
        headers.append(("lambda-runtime-client-context", invocation.client_context))
    return headers


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[str, str, bytes] | None:
    """Read one request: method, path and body; None when the runtime has closed the connection."""
    request: Any = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return request.method.decode(), request.target.decode(), bytes(body)
        else:
            return None
