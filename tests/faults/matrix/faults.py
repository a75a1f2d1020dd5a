"""The rows of the fault matrix: what is made to fail, and what is then expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.matrix.cases import LIFE_SECONDS, Case, State, Trigger, needs_nothing, promotes

# What a run needs after its token call has been given up at once: `PUBLICATION_SECONDS` of the publisher, and the
# shortest time-out there is.
NO_TIME_TO_WAIT = 10.05


@dataclass(frozen=True)
class Expected:
    """How a run ends under a fault."""

    kind: str
    """The error's class or, in `rotate`'s words, the outcome."""
    calls: int
    """How often the token endpoint is asked, if it can be."""
    says: str = ""
    """Part of the error's message, or of the log line."""
    life_seconds: int | None = None
    """Of what is published."""
    breaker: bool = False
    """Whether the watchdog and consumers are then kept from the token endpoint for a minute."""
    publishes: bool = False
    """Whether something is published although the run raises (AWS did what it was asked, and its answer was lost) or
    finds nothing due (another run was faster)."""

    def kind_for(self, trigger: Trigger) -> str:
        names = {"rotated": "renewed", "superseded": "already_renewed"} if trigger.is_consumers else {}
        return names.get(self.kind, self.kind)


def healthy(trigger: Trigger, state: State) -> Expected:
    """What is expected where nothing fails."""
    if needs_nothing(trigger, state):
        return Expected("fresh", 0)
    return Expected("rotated", 0 if promotes(trigger, state) else 1)


def asks(trigger: Trigger, state: State) -> bool:
    """Whether a healthy run asks the token endpoint."""
    return healthy(trigger, state).calls == 1


@dataclass(frozen=True)
class Fault:
    """One row: `hits` are the columns in which the fault can be met; everywhere else all is as if there were none."""

    name: str
    arm: Callable[[Case], None]
    expected: Callable[[Trigger, State], Expected]
    hits: Callable[[Trigger, State], bool] = asks
    mend: Callable[[Case], None] = lambda _: None
    """What a person does about it: only for what a person has done."""

    def expects(self, trigger: Trigger, state: State) -> Expected:
        return self.expected(trigger, state) if self.hits(trigger, state) else healthy(trigger, state)


def published(calls: int = 1, life_seconds: int = LIFE_SECONDS, says: str = "") -> Callable[[Trigger, State], Expected]:
    """A token is published all the same."""
    return lambda *_: Expected("rotated", calls, says, life_seconds)


def failed(
    kind: type[Exception], calls: int, says: str = "", *, breaker: bool = False
) -> Callable[[Trigger, State], Expected]:
    """The run raises, and what is published stays."""
    return lambda *_: Expected(kind.__name__, calls, says, breaker=breaker)
