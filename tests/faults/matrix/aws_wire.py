"""The wire between the SDK's clients and the AWS in memory, where answers of AWS are replaced, lost or delayed.

The clients build, sign, parse and retry as they always do, because only the HTTP response is replaced.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import botocore
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse

from faults.matrix.aws_memory import AwsMemory, Members
from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request, Response
from talend_simulator.server import Server

# More often than a run calls.
ALWAYS = 1_000


type Serve = Callable[[], Response]
type Interference = Callable[[Serve], Response]


class AwsWire:
    """Every call of the clients of sessions that are made while it is installed, and what interferes with them."""

    def __init__(self, memory: AwsMemory) -> None:
        self._memory = memory
        self.calls: list[str] = []
        """Short names of all calls, such as `GetSecretValue of the token`."""
        self.interference: Callable[[str, Serve], Response] | None = None
        self.after_each: Callable[[], None] = lambda: None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Answer in the place of AWS in each session that is made in the block."""
        botocore.register_initializer(self._install)
        try:
            yield
        finally:
            botocore.unregister_initializer(self._install)

    def _install(self, session: botocore.session.Session) -> None:
        session.register("before-send", self._send)  # type: ignore[arg-type]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        # A request to a loopback port is sent, and comes back here from the server there.
        if request.url.startswith("http://127.0.0.1:"):
            return None
        target: Any = request.headers["X-Amz-Target"]
        answer = self.serve(target.decode(), request.body)
        return AWSResponse(request.url, answer.status, answer.headers, MockRawResponse(answer.body))  # type: ignore[arg-type]

    def serve(self, target: str, body: Any) -> Response:
        """Answer one request of a client.

        Raises:
            HTTPClientError: there is no answer.
        """
        operation, members = target.partition(".")[2], json.loads(body)
        name = _name_of(operation, members)
        self.calls.append(name)

        def serve() -> Response:
            answer = self._memory.answer(operation, members)
            return response(400 if "__type" in answer else 200, json.dumps(answer).encode())

        try:
            return self.interference(name, serve) if self.interference else serve()
        finally:
            self.after_each()

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Serve on a loopback port, for faults of connections."""

        def exchange(request: Request, connection: Connection) -> None:
            try:
                answer = self.serve(request.headers["X-Amz-Target"], request.body)
            except HTTPClientError:
                # The call may have been made, but its answer is lost.
                connection.reset()
            else:
                connection.send(answer)

        server = Server(0, exchange, Stalls())
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _name_of(operation: str, members: Members) -> str:
    if "SecretId" in members:
        part = members["SecretId"].rpartition("/")[2]
        stage = members.get("VersionStage", "AWSCURRENT")
        label = f" {stage}" if operation == "GetSecretValue" and stage != "AWSCURRENT" else ""
        return f"{operation} of the {part}{label}"
    key = (members.get("Key") or members["Item"])["id"]["S"]
    return f"{operation} of the {'lock' if key.startswith('talend-token#') else 'breaker'}"


# --- interferences ---


def at(names: str, how: Interference, *, times: int = ALWAYS) -> Callable[[Any], None]:
    """Arm an interference with the first calls whose names match the expression `names`."""

    def arm(case: Any) -> None:
        met = itertools.count()

        def interfere(name: str, serve: Serve) -> Response:
            return how(serve) if re.fullmatch(names, name) and next(met) < times else serve()

        case.world.aws.interference = interfere

    return arm


def response(status: int, body: bytes, content_type: str = "application/x-amz-json-1.1") -> Response:
    headers = {"Content-Type": content_type, "x-amzn-RequestId": "00000000-0000-4000-8000-000000000000"}
    return Response(status, body, headers)


def error(status: int, code: str) -> Interference:
    """Answer with an error in AWS's JSON protocol."""
    body = json.dumps({"__type": code, "message": f"{code} for this test"}).encode()
    return lambda _: response(status, body)


def answers(status: int, body: bytes) -> Interference:
    return lambda _: response(status, body, "text/html")


def raises(kind: type[ReadTimeoutError | ConnectTimeoutError]) -> Interference:
    def fail(_: Serve) -> Response:
        raise kind(endpoint_url="https://aws.invalid")

    return fail


def lost(serve: Serve) -> Response:
    """Serve the call, and lose the answer."""
    serve()
    raise ReadTimeoutError(endpoint_url="https://aws.invalid")
