"""The wire between the SDK's clients and moto, where answers of AWS are replaced, lost or delayed.

The clients build, sign, parse and retry as they always do: what is replaced is the HTTP response.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import botocore
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber


@dataclass(frozen=True)
class AwsCall:
    """One request of a client. `name` is what a person would call it, such as `GetSecretValue of the token`."""

    name: str
    service: str
    operation: str
    request: AWSPreparedRequest = field(repr=False)

    def answer(self, status: int, body: bytes, content_type: str = "application/x-amz-json-1.1") -> AWSResponse:
        headers = {"Content-Type": content_type, "x-amzn-RequestId": "00000000-0000-4000-8000-000000000000"}
        return AWSResponse(self.request.url, status, headers, MockRawResponse(body))  # type: ignore[arg-type]

    def error(self, status: int, code: str) -> AWSResponse:
        """An error as the JSON protocol of AWS has it."""
        return self.answer(status, json.dumps({"__type": code, "message": f"{code} for this test"}).encode())


Serve = Callable[[], AWSResponse]
Interference = Callable[[AwsCall, Serve], AWSResponse]


class AwsWire:
    """Every call of the clients of sessions that are made while it is installed, and what interferes with them."""

    def __init__(self) -> None:
        self.calls: list[AwsCall] = []
        self.interference: Interference | None = None
        self.after_each: Callable[[], None] = lambda: None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Take moto's place in each session that is made meanwhile, whoever makes it."""
        botocore.register_initializer(self._install)
        try:
            yield
        finally:
            botocore.unregister_initializer(self._install)

    def _install(self, session: botocore.session.Session) -> None:
        session.unregister("before-send", botocore_stubber)  # type: ignore[arg-type]
        session.register("before-send", self._send)  # type: ignore[arg-type]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        # What goes to a loopback port is sent, and comes back here from the server there.
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
                # moto's way to say that there is no such secret.
                return call.error(400, "ResourceNotFoundException")
            assert response is not None, f"moto does not know {call.name}"
            return response

        try:
            return self.interference(call, serve) if self.interference else serve()
        finally:
            self.after_each()


def _call_of(request: AWSPreparedRequest) -> AwsCall:
    # `DynamoDB_20120810.GetItem`, which the SDK has signed and encoded.
    prefix, operation = request.headers["X-Amz-Target"].decode().split(".")  # type: ignore[union-attr]
    service = "secretsmanager" if prefix == "secretsmanager" else "dynamodb"
    members = json.loads(request.body)  # type: ignore[arg-type]
    if service == "secretsmanager":
        part = members.get("SecretId", members.get("Name")).rpartition("/")[2]
        stage = members.get("VersionStage", "AWSCURRENT")
        label = f" {stage}" if operation == "GetSecretValue" and stage != "AWSCURRENT" else ""
        return AwsCall(f"{operation} of the {part}{label}", service, operation, request)
    if service == "dynamodb" and operation.endswith("Item"):
        item = (members.get("Key") or members["Item"])["id"]["S"]
        part = "lock" if item.startswith("talend-token#") else "breaker"
        return AwsCall(f"{operation} of the {part}", service, operation, request)
    return AwsCall(operation, service, operation, request)
