"""The real handlers over real adapters: moto behind the SDK, the Talend simulator behind sockets, time that is moved.

Each experiment is a `Case`: an account of its own, with a token secret in a chosen state and a witness beside it.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.retries.quota import RetryQuota
from moto import mock_aws
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID  # type: ignore[attr-defined]

import renew
import rotate
from faults.matrix.aws_server import aws_server, url_of
from faults.matrix.aws_wire import AwsWire
from rotator import bootstrap
from rotator.adapters import lock_table, secrets_manager, token_endpoint
from rotator.service.rotator import Rotator
from talend_simulator import Broken, TalendSimulator
from talend_simulator import Settings as TalendSettings
from talend_simulator.server import Server

REGION = "eu-west-1"
PREFIX = "talend-token"
ENDPOINTS = {"secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER", "dynamodb": "AWS_ENDPOINT_URL_DYNAMODB"}
# In the place of two to ten seconds, for an answer that never comes.
PATIENCE_SECONDS = 0.5
# What `running_world` replaces.
_make_rotator = bootstrap.rotator.__wrapped__
# A minute of the watchdog's, and a second for what is rounded.
TICK_SECONDS = 61


class VirtualTime:
    """Wall-clock time, moved on by whoever sleeps. It stands in for the module `time`, too."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return time.time() + self.ahead

    def time(self) -> float:
        return self()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


class Context:
    """What Lambda tells a function about its invocation."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


class World:
    """What all cases share; `calm` ends every fault."""

    def __init__(self) -> None:
        self.clock = VirtualTime()
        self.aws = AwsWire()
        self.talend = TalendSimulator(clock=self.clock)
        self.elsewhere = TalendSimulator()
        self.output = io.StringIO()
        self.resources = ExitStack()
        self.patch = pytest.MonkeyPatch()
        """Undone by `calm`."""
        self.aws_servers: dict[str, Server] = {}
        """By service, once they are needed."""
        self._over_sockets: Rotator | None = None
        self._lasting: dict[str, str] = {}
        self.aws_client: Any
        """The client of a person, for Secrets Manager."""
        self.healthy: Rotator
        self.rotator: Rotator

    def lasting(self, name: str, make: Callable[[], AbstractContextManager[str]]) -> str:
        """What `make` yields: made when it is first asked for, and there until the world ends."""
        if name not in self._lasting:
            self._lasting[name] = self.resources.enter_context(make())
        return self._lasting[name]

    def build(self) -> None:
        self.healthy = self._made()
        self.calm()

    def _made(self) -> Rotator:
        """Make the rotator as a cold start does; its pauses move the world's clock."""
        made = _make_rotator()
        issuer: Any = made.publisher.issuer
        issuer = replace(
            issuer,
            clock=self.clock,
            token_endpoint=replace(issuer.token_endpoint, clock=self.clock, sleep=self.clock.sleep, jitter=lambda: 1.0),
            probe=replace(issuer.probe, clock=self.clock),
        )
        made.publisher.lock._clock = self.clock  # type: ignore[attr-defined]
        publisher = replace(made.publisher, issuer=issuer, clock=self.clock)
        return replace(made, publisher=publisher, clock=self.clock, sleep=self.clock.sleep)

    def calm(self) -> None:
        self.rotator = self.healthy
        self.patch.undo()
        self.aws.interference = None
        servers: list[Any] = [*self.aws_servers.values(), self.talend]
        for server in servers:
            server.break_kept(Broken.CLOSED)
        self.talend.faults.clear()
        self.talend.settings.change(
            {name: getattr(TalendSettings(), name) for name in TalendSettings.__dataclass_fields__}
        )

    def with_sockets(self) -> None:
        """The functions call AWS through sockets until `calm`, and wait half a second for each answer."""
        if self._over_sockets is None:
            with pytest.MonkeyPatch.context() as patch:
                for service, variable in ENDPOINTS.items():
                    server = self.resources.enter_context(aws_server(self.aws, service, REGION))
                    self.aws_servers[service] = server
                    patch.setenv(variable, url_of(server))
                for module in (lock_table, secrets_manager):
                    patch.setattr(module, "Config", _impatient)
                self._over_sockets = self._made()
        self.rotator = self._over_sockets
        self.patch.setattr(token_endpoint, "_READ_SECONDS", PATIENCE_SECONDS)

    def with_settings(self, **changes: Any) -> None:
        """The function's settings are others until `calm`."""
        settings = replace(self.rotator.settings, **changes)
        publisher = self.rotator.publisher
        publisher = replace(publisher, settings=settings, issuer=replace(publisher.issuer, settings=settings))
        self.rotator = replace(self.rotator, settings=settings, publisher=publisher)

    def with_token_endpoint(self, **changes: Any) -> None:
        """The adapter of the token endpoint is another until `calm`."""
        publisher = self.rotator.publisher
        endpoint = replace(publisher.issuer.token_endpoint, **changes)  # type: ignore[type-var]
        publisher = replace(publisher, issuer=replace(publisher.issuer, token_endpoint=endpoint))
        self.rotator = replace(self.rotator, publisher=publisher)

    def invoke(self, function: str, event: dict[str, Any], seconds: float) -> dict[str, Any]:
        handler = {"rotate": rotate.handler, "renew": renew.handler}[function]
        with contextlib.redirect_stdout(self.output):
            answer: dict[str, Any] = handler(event, Context(seconds))  # type: ignore[arg-type]
        return json.loads(json.dumps(answer))  # type: ignore[no-any-return]

    def begin(self) -> None:
        """Forget the last case."""
        self.calm()
        self.aws.after_each = lambda: None
        self.clock.ahead = 0
        self.clock.slept.clear()
        self.talend.journal.clear()
        self.elsewhere.journal.clear()
        self.aws.calls.clear()
        self.output.seek(0)
        self.output.truncate()
        self.secrets().clear()
        self.records().clear()

    def secrets(self) -> Any:
        """Secrets Manager's secrets by name, as moto keeps them."""
        return get_backend("secretsmanager")[DEFAULT_ACCOUNT_ID][REGION].secrets

    def records(self) -> Any:
        """The lock table's records by key, as moto keeps them."""
        return get_backend("dynamodb")[DEFAULT_ACCOUNT_ID][REGION].tables["locks"].items

    def tick(self) -> None:
        """A minute passes, for the lock table as well, whose times are the wall clock's."""
        self.clock.ahead += TICK_SECONDS
        for item in self.records().values():
            for name, unit in (("expiration", 1), ("in_progress_expiration", 1000), ("opened_at", 1)):
                if name in item.attrs:
                    item.attrs[name].value = str(Decimal(item.attrs[name].value) - TICK_SECONDS * unit)


def _impatient(**options: Any) -> Config:
    return Config(**options | {"read_timeout": PATIENCE_SECONDS})


@contextmanager
def running_world() -> Iterator[World]:
    """The surroundings, from the first client to the last."""
    world = World()
    with pytest.MonkeyPatch.context() as patch, world.talend, world.elsewhere, world.resources:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "SECRET_PREFIX": PREFIX,
            "TALEND_API_URL": world.talend.url,
            "CREDENTIALS_SECRET": "",
            "SCHEDULE_EXPRESSION": "rate(25 minutes)",
            "LOCK_TABLE": "locks",
            "PROBE_PATH": "",
            "STACK_NAME": "faults",
        }.items():
            patch.setenv(name, value)
        with mock_aws(), world.aws.installed():
            # The operator's clients below are of this world too, whoever has used the default session before.
            patch.setattr(boto3, "DEFAULT_SESSION", None)
            # The SDK's own pauses are not waited for, and its allowance of retries is that of a cold start each time.
            patch.setattr("botocore.endpoint.time", world.clock)
            patch.setattr(RetryQuota, "acquire", lambda *_: True)
            for handler in (rotate, renew):
                patch.setattr(handler, "time", world.clock)
                patch.setattr(handler.logger.registered_handler, "stream", world.output)
            boto3.client("dynamodb").create_table(
                TableName="locks",
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            )
            world.aws_client = boto3.client("secretsmanager")
            world.build()
            patch.setattr(bootstrap, "rotator", lambda: world.rotator)
            yield world
        patch.undo()
