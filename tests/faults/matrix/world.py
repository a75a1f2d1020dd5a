"""The real handlers over real adapters: AWS in memory behind the SDK, Talend behind sockets, and virtual time."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from botocore.config import Config
from botocore.retries.quota import RetryQuota

import renew
import rotate
from faults.matrix.aws_wire import AwsMemory, AwsWire
from rotator import bootstrap
from rotator.adapters import lock_table, secrets_manager, token_endpoint
from rotator.adapters.telemetry import reported
from rotator.service.rotator import Rotator
from talend_simulator import Broken, Settings, TalendSimulator
from talend_simulator.server import Server

PREFIX = "talend-token"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "SECRET_PREFIX": PREFIX,
    "CREDENTIALS_SECRET": "",
    "SCHEDULE_EXPRESSION": "rate(25 minutes)",
    "LOCK_TABLE": "locks",
    "PROBE_PATH": "",
    "STACK_NAME": "faults",
}
SERVICES = {"secretsmanager": "SECRETS_MANAGER", "dynamodb": "DYNAMODB"}
# In the place of two to ten seconds, for an answer that never comes.
PATIENCE_SECONDS = 0.5
# `running_world` replaces the function.
_make_rotator = bootstrap.rotator.__wrapped__


class VirtualTime:
    """Wall-clock time, which a sleep moves on. It stands in for the module `time`, too."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return time.time() + self.ahead

    time = __call__

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


class Context:
    """Lambda's context of an invocation."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


class World:
    """All that the cases share. `calm` ends every fault, undoes `patch`, and closes `until_calm`."""

    healthy: Rotator
    rotator: Rotator

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self.clock = VirtualTime()
        self.memory = AwsMemory(self.clock)
        self.aws = AwsWire(self.memory)
        self.talend = TalendSimulator(clock=self.clock)
        self.output = io.StringIO()
        self.until_calm = ExitStack()
        self.patch = pytest.MonkeyPatch()
        self.aws_servers: dict[str, Server] = {}
        self._over_sockets: Rotator | None = None

    def cold_start(self) -> Rotator:
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

    def begin(self) -> None:
        """Forget the last case."""
        self.calm()
        self.aws.after_each = lambda: None
        self.clock.ahead = 0
        self.clock.slept.clear()
        self.talend.journal.clear()
        self.aws.calls.clear()
        self.memory.secrets.clear()
        self.memory.items.clear()

    def calm(self) -> None:
        self.rotator = self.healthy
        self.patch.undo()
        self.until_calm.close()
        self.aws.interference = None
        servers: list[Any] = [*self.aws_servers.values(), self.talend]
        for server in servers:
            server.break_kept(Broken.CLOSED)
        self.talend.faults.clear()
        self.talend.settings.change(asdict(Settings()))

    def with_sockets(self) -> None:
        """The functions call AWS through sockets until `calm`."""
        for service, server in self.aws_servers.items():
            self.patch.setenv(f"AWS_ENDPOINT_URL_{SERVICES[service]}", f"http://127.0.0.1:{server.server_address[1]}")
        for module in (lock_table, secrets_manager):
            self.patch.setattr(module, "Config", lambda **it: Config(**it | {"read_timeout": self._patience_seconds}))
        self.patch.setattr(token_endpoint, "_READ_SECONDS", self._patience_seconds)
        self._over_sockets = self._over_sockets or self.cold_start()
        self.rotator = self._over_sockets

    def with_environment(self, **variables: str) -> None:
        """The functions are started with other environment variables until `calm`."""
        for name, value in variables.items():
            self.patch.setenv(name, value)
        self.rotator = self.cold_start()

    def invoke(self, function: str, event: dict[str, Any], seconds: float) -> dict[str, Any]:
        handler = {"rotate": rotate.handler, "renew": renew.handler}[function]
        self.output.seek(0)
        self.output.truncate()
        with contextlib.redirect_stdout(self.output):
            answer: dict[str, Any] = handler(event, Context(seconds))  # type: ignore[arg-type]
        return json.loads(json.dumps(answer))  # type: ignore[no-any-return]

    def tick(self, seconds: float = 61) -> None:
        """Time passes: a minute by default, and a second for what is rounded. The lock table's times are the wall
        clock's, so its records become older."""
        self.clock.ahead += seconds
        for item in self.memory.items.values():
            for name in ("expiration", "in_progress_expiration", "opened_at", "probe_lease_expiry"):
                if name in item:
                    passed = Decimal(seconds) * (1000 if name == "in_progress_expiration" else 1)
                    item[name]["N"] = str(Decimal(item[name]["N"]) - passed)


@contextmanager
def running_world(patience_seconds: float = PATIENCE_SECONDS) -> Iterator[World]:
    """Yield a world in which the functions wait so long for an answer through sockets."""
    world = World(patience_seconds)
    with pytest.MonkeyPatch.context() as patch, world.talend, ExitStack() as resources:
        world.aws_servers = {service: resources.enter_context(world.aws.server()) for service in SERVICES}
        for name, value in (ENVIRONMENT | {"TALEND_API_URL": world.talend.url}).items():
            patch.setenv(name, value)
        with world.aws.installed():
            # The SDK's own pauses take no time, and each run has a cold start's allowance of retries.
            patch.setattr("botocore.endpoint.time", world.clock)
            patch.setattr(RetryQuota, "acquire", lambda *_: True)
            for handler in (rotate, renew):
                patch.setattr(handler, "time", world.clock)
                patch.setattr(handler, "reported", partial(reported, clock=world.clock))
                patch.setattr(handler.logger.registered_handler, "stream", world.output)
            world.healthy = world.cold_start()
            world.calm()
            patch.setattr(bootstrap, "rotator", lambda: world.rotator)
            yield world
            world.calm()
