"""The columns of the matrix: what triggers a run, and what the token secret holds then."""

from __future__ import annotations

from enum import StrEnum

LIFE_SECONDS = 1800


class State(StrEnum):
    """What the token secret holds when the run begins."""

    ABSENT = "absent"
    FRESH = "FRESH"
    STALE = "STALE"
    EXPIRED = "EXPIRED"
    UNREADABLE = "unreadable"
    REJECTED = "revoked at the API"
    LEFT_OVER = "staged and left over"


class Trigger(StrEnum):
    """What invokes the functions."""

    SCHEDULE = "schedule"
    WATCHDOG = "watchdog"
    MANUAL = "manual"
    REJECTED = "rejected"
    CREDENTIALS_CHANGED = "credentials changed"

    @property
    def is_wanted(self) -> bool:
        """Whether an operator or a consumer wants another token, even one that expires earlier."""
        return self not in (Trigger.SCHEDULE, Trigger.WATCHDOG)

    @property
    def minds_the_breaker(self) -> bool:
        return self in (Trigger.WATCHDOG, Trigger.REJECTED)


def needs_nothing(trigger: Trigger, state: State) -> bool:
    """Whether a healthy run leaves the token secret as it is: nobody has told the watchdog of a revocation."""
    return trigger is Trigger.WATCHDOG and state in (State.FRESH, State.REJECTED, State.LEFT_OVER)


def promotes(trigger: Trigger, state: State) -> bool:
    """Whether a healthy run publishes what was left staged. Credentials that changed since then need a new token."""
    return state is State.LEFT_OVER and trigger not in (Trigger.WATCHDOG, Trigger.CREDENTIALS_CHANGED)


def seconds_left(state: State) -> int:
    """What the published token has left; it is not good if that is not above 0."""
    return {State.STALE: 240, State.EXPIRED: -60, State.ABSENT: 0, State.UNREADABLE: 0}.get(state, 1200)
