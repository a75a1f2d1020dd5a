"""An invocation in a process that is forked for it, and that kills itself with SIGKILL at a chosen call.

Every HTTP library of Python passes through `http.client`, so each call to the outside is noticed there.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import re
import signal
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal

type Kill = tuple[int, Literal["before", "after"]]
"""The number of a call, from 0, and whether it is about to be sent or has just been answered."""

_REQUEST = re.compile(rb"(\w+ \S+) HTTP/1\.1\r\n(?:.*^X-Amz-Target: *[^\r\n]*?(\w+)\r$)?", re.M | re.S | re.I)
# Every way out that Python knows of: https://docs.python.org/3/library/audit_events.html
_WAYS_OUT = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PROGRAMS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system")
_LONGEST_SECONDS = 60


@dataclass(frozen=True)
class Run:
    """One invocation."""

    calls: list[str]
    """Its calls to the outside, with the one that it was killed at."""
    addresses: set[str]
    """`host:port` of its calls."""
    connected: set[str]
    """Addresses and programs that the process used, according to the interpreter."""
    killed: bool


def run(invoke: Callable[[], object], kill: Kill | None = None) -> Run:
    """Call `invoke` in a forked process, to its end or until it is killed."""
    fork = multiprocessing.get_context("fork")
    reading, writing = fork.Pipe(duplex=False)
    process = fork.Process(target=_invoke, args=(invoke, kill, writing), daemon=True)
    with warnings.catch_warnings():
        # The other threads only serve the forked process, and hold no lock that it needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    writing.close()
    said: defaultdict[str, list[Any]] = defaultdict(list)
    with reading, suppress(EOFError):
        while True:
            name, value = reading.recv()
            said[name].append(value)
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL), "the run failed, and its process has printed how"
    return Run(said["call"], set(said["address"]), set(said["connected"]), process.exitcode != 0)


def _invoke(invoke: Callable[[], object], kill: Kill | None, report: Connection) -> None:
    """Run in the forked process."""
    signal.alarm(_LONGEST_SECONDS)
    get_response, calls = http.client.HTTPConnection.getresponse, 0

    def die_at(moment: str) -> None:
        if kill == (calls - 1, moment):
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal calls
        if event == "http.client.send" and (request := _REQUEST.match(arguments[1])):
            calls += 1
            report.send(("call", (request[2] or request[1]).decode()))
            report.send(("address", f"{arguments[0].host}:{arguments[0].port}"))
            die_at("before")
        elif event in _WAYS_OUT:
            report.send(("connected", ":".join(map(str, arguments[1][:2]))))
        elif event in _PROGRAMS:
            report.send(("connected", event))

    def getresponse(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        response = get_response(connection)
        die_at("after")
        return response

    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[assignment, method-assign]
    sys.addaudithook(audit)
    invoke()
