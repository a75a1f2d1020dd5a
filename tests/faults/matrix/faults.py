"""The rows of the fault matrix: what is made to fail, and what is then expected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from faults.matrix.cases import LIFE_SECONDS, Case, State, Trigger, needs_nothing, promotes

# The ten seconds that a run keeps for publishing, and a moment that ends its token call at once.
NO_TIME_TO_WAIT = 10.05
# How often a run requests a token that may be had later.
ATTEMPTS = 4


@dataclass(frozen=True)
class Expected:
    """How a run ends under a fault."""

    kind: str
    """The error's class, or the outcome."""
    calls: int
    """How often the token endpoint is requested, if it can be reached."""
    says: str = ""
    """Part of the error's message, or of the log line if there is no error."""
    logs: str = ""
    """Part of the log line."""
    life_seconds: int | None = None
    """For how long the published token is valid in all."""
    again: tuple[str, int] | None = None
    """How another run ends at once after this one, if the circuit breaker holds its trigger: its kind and calls."""
    publishes: bool = False
    """Whether something is published although the run raises (AWS did what it was asked, and its answer was lost) or
    finds nothing due (another run was faster)."""


# What a run does that the circuit breaker keeps from the token endpoint.
HELD = ("CircuitOpen", 0)


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
    return lambda *_: Expected("rotated", calls, says, life_seconds=life_seconds)


def failed(
    kind: type[Exception], calls: int, says: str = "", *, breaker: bool = False
) -> Callable[[Trigger, State], Expected]:
    """The run raises, and the published token stays; `breaker` opens the circuit breaker."""
    return lambda *_: Expected(kind.__name__, calls, says, again=HELD if breaker else None)
