"""The seam between the system and the world. Each outside call goes through it, and incidents happen here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from faults.histories.incidents import Act, Die, Fail, Incident, Meanwhile, Plan, Slow, Stale
from rotator.domain.invocation import Trigger

# A slow run within a slow run within a third one. Whatever would be due deeper down is late.
DEEPEST = 3
_SLOW_SECONDS = 15


class Died(BaseException):
    """The process was killed, so that no handler of an `Exception` runs any more."""


@dataclass
class Frame:
    """One process at work, which is an invocation of a function or a consumer's call."""

    plan: Plan
    trigger: Trigger | None = None
    """None for a consumer's process."""
    ends_at: float = math.inf
    """When Lambda kills it, by the functions' clock."""
    rejected: str | None = None
    """The version that a consumer saw rejected."""
    replaces: str | None = None
    """The version for which it has the lock."""
    circuit: str | None = None
    """The circuit breaker that it has asked; None if its trigger passes the breaker."""
    refused: list[str] = field(default_factory=list)
    """The IDs of the accounts whose credentials were refused since it acquired the lock."""
    dead: bool = False
    calls: list[str] = field(default_factory=list)
    incident: Incident | None = None
    """The incident at the call that is under way."""
    token_calls: int = 0
    unlocked: bool = False
    """True if the lock table was unavailable."""


@dataclass
class Outside:
    """Makes the outside calls of the process at work. `perform` and `wait` let the world continue in between."""

    now: Callable[[], float]
    """The functions' clock."""
    perform: Callable[[Act], None]
    wait: Callable[[float], None]
    failing: dict[str, int] = field(default_factory=dict)
    """The number of the error with which each call fails, until it is repaired."""
    slow: set[str] = field(default_factory=set)
    stale: bool = False
    frames: list[Frame] = field(default_factory=list)
    at_call: Callable[[str], None] = lambda _: None
    """Called with the name of each outside call before it, so that other runs can continue meanwhile."""
    answered: Callable[[str, object], None] = lambda *_: None
    """Called after each outside call with its name, and with what it returned or raised."""

    @property
    def frame(self) -> Frame:
        return self.frames[-1]

    @property
    def table_is_down(self) -> bool:
        """True if the table with the locks and the circuit breakers fails."""
        return "lock" in self.failing

    @contextmanager
    def at_work(self, frame: Frame) -> Iterator[Frame]:
        self.frames.append(frame)
        try:
            yield frame
        finally:
            self.frames.pop()

    def call[T](self, name: str, work: Callable[[], T], errors: Sequence[Callable[[], Exception]] = ()) -> T:
        """Do the work of an outside call, unless an incident prevents it. `errors` are those of its port."""
        frame = self.frame
        if frame.dead:
            # A killed process does not run its `finally` clauses.
            raise Died
        self.at_call(name)
        try:
            answer = self._answer(frame, name, work, errors)
        except BaseException as error:
            self.answered(name, error)
            raise
        self.answered(name, answer)
        return answer

    def _answer[T](
        self, frame: Frame, name: str, work: Callable[[], T], errors: Sequence[Callable[[], Exception]]
    ) -> T:
        incident = frame.plan.get(len(frame.calls))
        frame.calls.append(name)
        match incident:
            case Meanwhile(act) if len(self.frames) < DEEPEST:
                self.perform(act)
            case Slow(seconds):
                self.wait(seconds)
            case Die(after=False):
                raise killed(frame)
        if name in self.slow:
            self.wait(_SLOW_SECONDS)
        self._check_time(frame)
        frame.incident = incident
        if errors and name in self.failing:
            raise errors[self.failing[name] % len(errors)]()
        if errors and isinstance(incident, Fail):
            if incident.lost:
                work()
            raise errors[incident.error % len(errors)]()
        answer = work()
        if isinstance(incident, Die):
            raise killed(frame)
        return answer

    def reads_stale(self) -> bool:
        """Return True if the read that is under way shows the version before."""
        return self.stale or isinstance(self.frame.incident, Stale)

    def _check_time(self, frame: Frame) -> None:
        if self.now() >= frame.ends_at:
            raise killed(frame)


def killed(frame: Frame) -> Died:
    """Return the exception that ends a killed process."""
    frame.dead = True
    return Died()
