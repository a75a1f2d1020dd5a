"""A case of the matrix at a time that the experiment moves, whose run can be killed with SIGKILL at a chosen call.

The run has a process that is forked for it. Every HTTP library of Python passes through `http.client`, so each call to
the outside is noticed there.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal, override

from faults.matrix.cases import Case, Ending
from faults.matrix.columns import State, Trigger
from faults.matrix.world import World
from log_line import LOST, Line
from talend_simulator import Answer
from talend_token.document import TokenDocument

type Kill = tuple[int, Literal["before", "after"]]
"""The number of a call, from 0, and whether it is about to be sent or has just been answered."""

_REQUEST = re.compile(rb"(\w+ \S+) HTTP/1\.1\r\n(?:.*^X-Amz-Target: *[^\r\n]*?(\w+)\r$)?", re.M | re.S | re.I)
_LONGEST_SECONDS = 60
WITH_A_PROBE = "with a probe"
# The last run, a minute ago, was refused, so that the circuit is about to be half open.
AFTER_A_REFUSAL = "after a refusal"
# The token is requested twice, first with the current pair and then with the previous one.
REFUSED_PAIR = "with a current pair that is refused"
# As in the template.
FUNCTION_SECONDS = {"rotate": 60, "renew": 30}
# A machine that is busy answers late.
PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Scenario:
    """The trigger of the run that is to be killed, and what it finds."""

    trigger: Trigger
    state: State
    detail: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, [f"{self.trigger} of {self.state}", self.detail]))


class Scene(Case):
    """One scenario, played once. The witness looks at the token secret after each call of AWS."""

    takes_shorter = False

    def __init__(self, world: World, scenario: Scenario) -> None:
        super().__init__(world, scenario.trigger, scenario.state)
        self._has_probe = scenario.detail == WITH_A_PROBE
        self._start()
        self.lines: list[Line] = []
        if scenario.detail == REFUSED_PAIR:
            self.store_credentials(f"{self.account.client_id}:mistyped")
        if scenario.detail == AFTER_A_REFUSAL:
            world.talend.faults.add(Answer(401), times=1)
            assert self.act(Trigger.WATCHDOG).error
            world.tick()
        if self.trigger is Trigger.CREDENTIALS_CHANGED:
            self.account = world.talend.add_account()
            self.store_credentials(self.account.credentials)
        self._first = self.event()
        self._made = len(self.versions())

    @property
    def published(self) -> TokenDocument | None:
        return self.sight().document

    @property
    def tokens_issued(self) -> int:
        """Return the number of tokens that the token endpoint has issued since the scene began."""
        return sum(call.status == 200 for call in self.world.talend.token_calls())

    @property
    def versions_made(self) -> int:
        return len(self.versions()) - self._made

    @property
    def client_of_published(self) -> str | None:
        """Return whose token is published, if it works."""
        token = self.world.talend.tokens.live(self.published.access_token) if self.published else None
        return token.client_id if token else None

    def begin(self, kill: Kill | None = None) -> list[str]:
        """Run what the scenario is about in a process of its own, which calls AWS and Talend in this one.

        Returns:
            Its calls to the outside, with the one that it was killed at.
        """
        function, event = self._first
        began = self.world.clock()

        def invoke() -> None:
            self.world.with_sockets()
            self._start()
            self.world.invoke(function, event, FUNCTION_SECONDS[function])

        calls = _forked(invoke, kill)
        self.lines.append(Line(began, self.world.clock(), LOST, self.name))
        if self.broken:
            raise self.broken
        return calls

    def again(self) -> Ending:
        """Run in this process what the scenario is about, after it was killed, or its duplicate."""
        return self.invoke(*self._first)

    def act(self, trigger: Trigger) -> Ending:
        """Run the function that the trigger is for. A consumer has read what is published now."""
        self.trigger = trigger
        self.reject_what_is_published()
        return self.invoke(*self.event())

    @override
    def invoke(self, function: str, event: dict[str, Any]) -> Ending:
        began, self.seconds = self.world.clock(), FUNCTION_SECONDS[function]
        ending = super().invoke(function, event)
        if self.broken:
            raise self.broken
        # A run that meets another one answers with the version that it has found.
        if ending.answer and ending.kind != "in_progress":
            assert ending.answer["version_id"] == ending.after.version_id, "the answer names what is not published"
        records = [json.loads(line) for line in ending.output.splitlines()]
        lines = [Line.of(record, ending.after.at) for record in records if "duration_seconds" in record]
        self.lines += lines or [Line(began, ending.after.at, LOST, self.name)]
        return ending

    @override
    def _ends(self, access_token: str) -> float:
        token = self.world.talend.tokens.live(access_token)
        assert token is not None, "the published token is not of this Talend, or has expired"
        return token.expires_at

    def _start(self) -> None:
        if self._has_probe:
            self.world.with_environment(PROBE_PATH="/account/users")


# --- the forked process ---


def _forked(invoke: Callable[[], object], kill: Kill | None) -> list[str]:
    """Call `invoke` in a forked process, to its end or until it is killed, and return its calls."""
    fork = multiprocessing.get_context("fork")
    reading, writing = fork.Pipe(duplex=False)
    process = fork.Process(target=_invoke, args=(invoke, kill, writing), daemon=True)
    with warnings.catch_warnings():
        # The other threads only serve the forked process, and hold no lock that it needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    writing.close()
    called: list[str] = []
    with reading, suppress(EOFError):
        while True:
            called.append(reading.recv())
    process.join()
    assert process.exitcode == (-signal.SIGKILL if kill else 0), "if the run failed, its process has printed how"
    return called


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
            report.send((request[2] or request[1]).decode())
            die_at("before")

    def getresponse(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        response = get_response(connection)
        die_at("after")
        return response

    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[assignment, method-assign]
    sys.addaudithook(audit)
    invoke()
