"""The results of invocations that did not fail; a failure raises instead."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rotator.domain.invocation import Invocation
from rotator.domain.stored_token import StoredToken


class Outcome(StrEnum):
    """The member `outcome` of a function's result, and the message of its log line."""

    ROTATED = "rotated"
    """A new token is published."""
    FRESH = "fresh"
    """The published token was not due for replacement."""
    UNCHANGED = "unchanged"
    """The token endpoint returned the published token again, so no version was spent on it."""
    SUPERSEDED = "superseded"
    """Another run published a token in the meantime, so this one published nothing."""
    IN_PROGRESS = "in_progress"
    """Another run is replacing the same version right now."""
    WAITING_FOR_CREDENTIALS = "waiting_for_credentials"
    """The credentials secret has never had a value, so schedule and watchdog have nothing to do yet."""
    IGNORED = "ignored"
    """The event is about a secret that does not belong to an account of this stack."""
    CHECKED = "checked"
    """A dry run requested and checked a token, and published nothing."""
    TOO_SOON = "too_soon"
    """The rejected token was just issued, so a new one would be rejected too."""
    BUDGET_EXHAUSTED = "budget_exhausted"
    """The versions that are left today are reserved for the schedule and for forced rotations."""


@dataclass(frozen=True)
class Check:
    """A dry run's finding about one link of the chain from the credentials to the published token."""

    link: str
    ok: bool
    detail: str
    """One line that says what was found and, if it is a problem, how to fix it."""


@dataclass(frozen=True)
class Result:
    """The result of an invocation, with the version and the expiry of the published token if they are known."""

    outcome: Outcome
    invocation: Invocation
    version_id: str | None = None
    expires_at: int | None = None
    """Seconds since the epoch."""
    retry_after_seconds: int = 0
    """How long to wait before the next request; 0 if none is needed."""
    checks: tuple[Check, ...] = ()
    """The findings of a dry run, in the order of the chain."""

    @classmethod
    def of(
        cls, invocation: Invocation, outcome: Outcome, published: StoredToken, *, retry_after_seconds: int = 0
    ) -> Result:
        """Return the result of an invocation after which this token is published."""
        expires_at = published.document.expires_at if published.document else None
        return cls(outcome, invocation, published.version_id or None, expires_at, retry_after_seconds)

    def as_rotation(self) -> dict[str, Any]:
        """Return the JSON object that `rotate` returns. A dry run adds its `checks`."""
        answer = {
            "outcome": str(self.outcome),
            "account": self.invocation.account or None,
            "trigger": str(self.invocation.trigger),
            "version_id": self.version_id,
            "expires_at": self.expires_at,
        }
        return answer | {"checks": [asdict(check) for check in self.checks]} if self.checks else answer

    def as_renewal(self) -> dict[str, Any]:
        """Return the JSON object that `renew` returns. While a replacement is in progress, its version is unknown."""
        known = self.outcome is not Outcome.IN_PROGRESS
        return {
            "outcome": str(self.outcome),
            "account": self.invocation.account,
            "version_id": self.version_id if known else None,
            "expires_at": self.expires_at if known else None,
            "retry_after_seconds": self.retry_after_seconds,
        }
