"""The columns of the matrix: what triggers a run, what the token secret holds then, and how the run is to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

LIFE_SECONDS = 1800
# How often a run requests a token from an endpoint that may recover.
ATTEMPTS = 4
# The log says so if the current credentials are unusable.
PREVIOUS_USED = "so the previous ones are used"
# How a run ends that the circuit breaker stops.
HELD = ("CircuitOpen", 0)


class State(StrEnum):
    """The content of the token secret when the run begins."""

    ABSENT = "absent"
    FRESH = "FRESH"
    STALE = "STALE"
    EXPIRED = "EXPIRED"
    UNREADABLE = "unreadable"
    REJECTED = "revoked at the API"
    LEFT_OVER = "staged and left over"

    @property
    def seconds_left(self) -> int:
        """Return for how long the published token is valid: 0 or less if it is not."""
        return {State.STALE: 240, State.EXPIRED: -60, State.ABSENT: 0, State.UNREADABLE: 0}.get(self, 1200)


class Trigger(StrEnum):
    """The reason for an invocation."""

    SCHEDULE = "schedule"
    WATCHDOG = "watchdog"
    MANUAL = "manual"
    REJECTED = "rejected"
    CREDENTIALS_CHANGED = "credentials changed"

    @property
    def is_wanted(self) -> bool:
        """Return whether an operator or a consumer wants another token, even one that expires earlier."""
        return self not in (Trigger.SCHEDULE, Trigger.WATCHDOG)

    @property
    def minds_the_breaker(self) -> bool:
        return self in (Trigger.WATCHDOG, Trigger.REJECTED)


# --- how a run ends ---

type ByCell = Callable[[Trigger, State], Expected]
type Expectation = Expected | ByCell


@dataclass(frozen=True)
class Expected:
    """The ending of a run under a fault."""

    kind: str
    """The outcome, or the class of the error."""
    calls: int
    """Requests to the token endpoint."""
    says: str = ""
    """A part of the error's message, or of the log if there is no error."""
    logs: str = ""
    """A part of the log, whether or not there is an error."""
    life_seconds: int | None = None
    """For how long the published token is valid in all."""
    again: tuple[str, int] | None = None
    """Kind and calls of another run right after this one, if the circuit breaker stops its trigger."""
    publishes: bool = False
    """Whether something is published although the run raises (the answer of AWS was lost) or finds nothing due (another
    run was faster)."""


def healthy(trigger: Trigger, state: State) -> Expected:
    """Return what is expected if nothing fails."""
    if needs_nothing(trigger, state):
        return Expected("fresh", 0)
    # Credentials that changed since a token was staged need a new token.
    promotes = state is State.LEFT_OVER and trigger is not Trigger.CREDENTIALS_CHANGED
    return Expected("rotated", 0 if promotes else 1)


def needs_nothing(trigger: Trigger, state: State) -> bool:
    """Return whether a healthy run leaves the token secret as it is: the watchdog does not know of a revocation."""
    return trigger is Trigger.WATCHDOG and state in (State.FRESH, State.REJECTED, State.LEFT_OVER)


def asks(trigger: Trigger, state: State) -> bool:
    """Return whether a healthy run calls the token endpoint."""
    return healthy(trigger, state).calls == 1


def published(calls: int = 1, *, life_seconds: int = LIFE_SECONDS, says: str = "") -> Expected:
    """A token is published all the same."""
    return Expected("rotated", calls, says, life_seconds=life_seconds)


def invalid(says: str = "") -> Expected:
    """The answer is refused, and the published token stays."""
    return Expected("InvalidTokenResponse", 1, says)


def unavailable(says: str = "", calls: int = ATTEMPTS) -> Expected:
    """No attempt gets an answer, and the published token stays."""
    return Expected("TokenUnavailable", calls, says)


def refused(says: str = "") -> Expected:
    """The credentials are refused, as the previous ones are, and the circuit breaker opens."""
    return Expected("CredentialsRefused", 1, says, PREVIOUS_USED, again=HELD)
