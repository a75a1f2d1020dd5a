"""The wire between the SDK's clients and moto, where answers of AWS are replaced, lost or delayed.

The clients build, sign, parse and retry as they always do, because only the HTTP response is replaced.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber

from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request, Response
from talend_simulator.server import Server

# More often than a run calls.
ALWAYS = 1_000


@dataclass(frozen=True)
class AwsCall:
    """One request of a client. `name` is short and readable, such as `GetSecretValue of the token`."""

    name: str
    request: AWSPreparedRequest = field(repr=False)

    def answer(self, status: int, body: bytes, content_type: str = "application/x-amz-json-1.1") -> AWSResponse:
        headers = {"Content-Type": content_type, "x-amzn-RequestId": "00000000-0000-4000-8000-000000000000"}
        return AWSResponse(self.request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def error(self, status: int, code: str) -> AWSResponse:
        """Return an error in AWS's JSON protocol."""
        return self.answer(status, json.dumps({"__type": code, "message": f"{code} for this test"}).encode())


type Serve = Callable[[], AWSResponse]
type Interference = Callable[[AwsCall, Serve], AWSResponse]


class AwsWire:
    """Every call of the clients of sessions that are made while it is installed, and what interferes with them."""

    def __init__(self) -> None:
        self.calls: list[AwsCall] = []
        self.interference: Interference | None = None
        self.after_each: Callable[[], None] = lambda: None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take moto's place in each session that is made in the block."""
        botocore.register_initializer(self._install)
        try:
            yield
        finally:
            botocore.unregister_initializer(self._install)

    def _install(self, session: botocore.session.Session) -> None:
        session.unregister("before-send", botocore_stubber)  # type: ignore[arg-type]
        session.register("before-send", self._send)  # type: ignore[arg-type]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        # A request to a loopback port is sent, and comes back here from the server there.
        return None if request.url.startswith("http://127.0.0.1:") else self.serve(request)

    def names(self) -> list[str]:
        return [call.name for call in self.calls]

    def serve(self, request: AWSPreparedRequest) -> AWSResponse:
        """Answer one request of a client.

        Raises:
            HTTPClientError: there is no answer.
        """
        call = _call_of(request)
        self.calls.append(call)

        def serve() -> AWSResponse:
            try:
                response = botocore_stubber("before-send", request)
            except KeyError:
                # moto raises it if there is no such secret.
                return call.error(400, "ResourceNotFoundException")
            assert response is not None, f"moto does not know {call.name}"
            return response

        try:
            return self.interference(call, serve) if self.interference else serve()
        finally:
            self.after_each()

    @contextmanager
    def server(self, service: str) -> Iterator[Server]:
        """Serve one service on a loopback port, for faults of connections."""

        def exchange(request: Request, connection: Connection) -> None:
            headers = HTTPHeaders()
            for name, value in request.headers.items():
                headers[name] = value.encode()  # type: ignore[assignment]
            url = f"https://{service}.eu-west-1.amazonaws.com/"
            try:
                answer = self.serve(AWSPreparedRequest(request.method, url, headers, request.body, stream_output=False))
            except HTTPClientError:
                # The call may have been made, but its answer is lost.
                connection.reset()
                return
            connection.send(Response(answer.status_code, answer.content, dict(answer.headers)))

        server = Server(0, exchange, Stalls())
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _call_of(request: AWSPreparedRequest) -> AwsCall:
    # `DynamoDB_20120810.GetItem`, which the SDK has signed and encoded.
    prefix, operation = request.headers["X-Amz-Target"].decode().split(".")  # type: ignore[union-attr]
    members = json.loads(request.body)  # type: ignore[arg-type]
    if prefix == "secretsmanager":
        part = members.get("SecretId", members.get("Name")).rpartition("/")[2]
        stage = members.get("VersionStage", "AWSCURRENT")
        label = f" {stage}" if operation == "GetSecretValue" and stage != "AWSCURRENT" else ""
        return AwsCall(f"{operation} of the {part}{label}", request)
    if operation.endswith("Item"):
        item = (members.get("Key") or members["Item"])["id"]["S"]
        operation += " of the lock" if item.startswith("talend-token#") else " of the breaker"
    return AwsCall(operation, request)


# --- interferences ---


def at(names: str, how: Interference, *, times: int = ALWAYS) -> Callable[[Any], None]:
    """Arm an interference with the first calls whose names match the expression `names`."""

    def arm(case: Any) -> None:
        met = itertools.count()

        def interfere(call: AwsCall, serve: Serve) -> AWSResponse:
            return how(call, serve) if re.fullmatch(names, call.name) and next(met) < times else serve()

        case.world.aws.interference = interfere

    return arm


def error(status: int, code: str) -> Interference:
    return lambda call, _: call.error(status, code)


def answers(status: int, body: bytes) -> Interference:
    return lambda call, _: call.answer(status, body, "text/html")


def raises(kind: type[ReadTimeoutError | ConnectTimeoutError]) -> Interference:
    def fail(call: AwsCall, _: Serve) -> AWSResponse:
        raise kind(endpoint_url=call.request.url)

    return fail


def lost(call: AwsCall, serve: Serve) -> AWSResponse:
    """Serve the call, and lose the answer."""
    serve()
    raise ReadTimeoutError(endpoint_url=call.request.url)
