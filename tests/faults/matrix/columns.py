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

    @property
    def seconds_left(self) -> int:
        """Return for how long the published token is valid: 0 or less if it is not."""
        return {State.STALE: 240, State.EXPIRED: -60, State.ABSENT: 0, State.UNREADABLE: 0}.get(self, 1200)


class Trigger(StrEnum):
    """What invokes the functions."""

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
