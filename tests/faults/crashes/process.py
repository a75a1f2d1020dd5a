"""A function that can be killed: `python -m faults.crashes.process` runs each invocation in a process forked for it.

It reads invocations from standard input and answers on standard output, a line of JSON each. What the forked process
asks of the outside is found where all HTTP of Python passes, in `http.client`, whatever library it is that asks. At the
chosen call the process kills itself with SIGKILL, so that not a line of ours runs after that.
"""

from __future__ import annotations

import datetime
import http.client
import importlib
import json
import os
import re
import signal
import sys
import time
import types
from collections.abc import Callable
from typing import Any

_TARGET = re.compile(rb"^X-Amz-Target: *[^\r\n]*?([A-Za-z]+)$", re.IGNORECASE | re.MULTILINE)
# Long before the parent gives up.
_LONGEST_SECONDS = 50


class Clock:
    """The wall clock of this process, ahead of the machine's; who sleeps wakes at once, that much later."""

    def __init__(self) -> None:
        self.ahead_seconds = 0.0
        self._time = time.time

    def __call__(self) -> float:
        return self._time() + self.ahead_seconds

    def sleep(self, seconds: float) -> None:
        self.ahead_seconds += seconds

    def install(self) -> None:
        """Take the place of the machine's clock for modules that are imported from now on."""
        # mypy has no name for a function that is replaced.
        time.time = self
        time.sleep = self.sleep  # type: ignore[assignment]

    def install_in_powertools(self) -> None:
        """Powertools asks the class `datetime`, which cannot be replaced where it is."""
        clock = self

        class Shifted(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Shifted:
                return cls.fromtimestamp(clock(), tz)

        shifted = types.SimpleNamespace(**vars(datetime) | {"datetime": Shifted})
        for name, module in list(sys.modules.items()):
            if name.startswith("aws_lambda_powertools.") and getattr(module, "dt", None) is datetime:
                module.dt = shifted  # type: ignore[attr-defined]


class Outside:
    """Notices each HTTP request and each connection of this process, and kills it at one of them."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.kill: tuple[int, str] | None = None
        self.report: Callable[[dict[str, Any]], None] = lambda _: None
        self._armed = False

    def install(self) -> None:
        end_headers, get_response = http.client.HTTPConnection.endheaders, http.client.HTTPConnection.getresponse

        def endheaders(connection: http.client.HTTPConnection, *args: Any, **options: Any) -> None:
            self._about_to_send(connection)
            end_headers(connection, *args, **options)

        def getresponse(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
            response = get_response(connection)
            self._die_if_chosen("after")
            return response

        http.client.HTTPConnection.endheaders = endheaders  # type: ignore[assignment, method-assign]
        http.client.HTTPConnection.getresponse = getresponse  # type: ignore[assignment, method-assign]
        sys.addaudithook(self._audit)

    def watch(self, kill: tuple[int, str] | None, report: Callable[[dict[str, Any]], None]) -> None:
        self.kill, self.report, self._armed = kill, report, True

    def _about_to_send(self, connection: http.client.HTTPConnection) -> None:
        # All header lines are written by now, and nothing is sent; there may not even be a connection.
        lines: list[bytes] = getattr(connection, "_buffer")  # noqa: B009 (typeshed does not know it)
        target = _TARGET.search(b"\r\n".join(lines).replace(b"\r\n", b"\n"))
        name = target[1].decode() if target else b" ".join(lines[0].split(b" ")[:2]).decode()
        self.calls.append(name)
        self.report({"call": name, "host": connection.host, "port": connection.port})
        self._die_if_chosen("before")

    def _die_if_chosen(self, moment: str) -> None:
        if self.kill == (len(self.calls) - 1, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        # Every way out that Python knows of: https://docs.python.org/3/library/audit_events.html
        if self._armed and event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            host, port, *_ = arguments[1]
            self.report({"connected": f"{host}:{port}"})
        elif self._armed and event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
            self.report({"connected": event})


class Context:
    """What Lambda tells a function: the time-out is the template's, as long as nothing is said of time."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self, ends_at: float, clock: Clock) -> None:
        self._ends_at = ends_at
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - self._clock()) * 1000)


def invoke(
    invocation: dict[str, Any], clock: Clock, outside: Outside, report: Callable[[dict[str, Any]], None]
) -> None:
    """Run one handler, in the process that is here for it only."""
    signal.alarm(_LONGEST_SECONDS)
    clock.ahead_seconds = invocation["ahead_seconds"]
    kill = invocation["kill"]
    outside.watch((kill[0], kill[1]) if kill else None, report)
    handler = sys.modules[invocation["function"]].handler
    context = Context(clock() + invocation["remaining_seconds"], clock)
    try:
        report({"answer": handler(invocation["event"], context)})
    except Exception as error:  # noqa: BLE001 (Lambda takes any, and so does the parent)
        report({"error": f"{type(error).__name__}: {error}"})


def lines_of(invocation: dict[str, Any], clock: Clock, outside: Outside) -> list[dict[str, Any]]:
    """Fork, invoke, and collect what the forked process says until it is gone; the last line is how it went."""
    reading, writing = os.pipe()
    log = os.memfd_create("log")
    process = os.fork()
    if process == 0:
        try:
            os.close(reading)
            os.dup2(log, sys.stdout.fileno())
            invoke(invocation, clock, outside, lambda line: _write(writing, line))
        finally:
            # Whatever happens, this process never goes on as its parent.
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as report:
        lines = [json.loads(line) for line in report]
    _, status = os.waitpid(process, 0)
    with os.fdopen(log) as written:
        written.seek(0)
        text = written.read()
    return [*lines, {"log": text}, {"signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None}]


def _write(descriptor: int, line: dict[str, Any]) -> None:
    os.write(descriptor, json.dumps(line).encode() + b"\n")


def main() -> None:
    clock, outside = Clock(), Outside()
    clock.install()
    bootstrap = importlib.import_module("rotator.bootstrap")
    for function in ("rotate", "renew"):
        importlib.import_module(function)
    clock.install_in_powertools()
    outside.install()
    # A warm function: its clients are made, and nothing is connected that two processes would share.
    bootstrap.rotator()
    for line in sys.stdin:
        print(json.dumps(lines_of(json.loads(line), clock, outside)), flush=True)


if __name__ == "__main__":
    main()
