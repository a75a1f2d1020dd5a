"""How an invocation ended, failures apart: those raise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rotator.domain.invocation import Invocation
from rotator.domain.stored_token import StoredToken


class Outcome(StrEnum):
    """The member `outcome` of what a function returns, and the message of its log line."""

    ROTATED = "rotated"
    """A new token is published."""
    FRESH = "fresh"
    """Nothing was due."""
    UNCHANGED = "unchanged"
    """The token endpoint returned the published token again, so no version was spent on it."""
    SUPERSEDED = "superseded"
    """Another run has published meanwhile; this one published nothing."""
    IN_PROGRESS = "in_progress"
    """Another run is replacing the same version at this moment."""
    WAITING_FOR_CREDENTIALS = "waiting_for_credentials"
    """The credentials secret has never had a value, so that schedule and watchdog have nothing to do yet."""
    IGNORED = "ignored"
    """The event is about a secret of another owner, not about an account of this stack."""
    CHECKED = "checked"
    """A dry run: a token was requested and checked, nothing was written."""
    TOO_SOON = "too_soon"
    """The token that was rejected is so young that a new one would be rejected too."""
    BUDGET_EXHAUSTED = "budget_exhausted"
    """The versions that are left today are reserved for the schedule and for forced rotations."""


@dataclass(frozen=True)
class Check:
    """What a dry run found out about one link of the chain from the credentials to the published token."""

    link: str
    ok: bool
    detail: str
    """One line: what was found, or the fix."""


@dataclass(frozen=True)
class Result:
    """How an invocation ended, with the version and the expiry of the published token if they are known."""

    outcome: Outcome
    invocation: Invocation
    version_id: str | None = None
    expires_at: int | None = None
    """Seconds since the epoch."""
    retry_after_seconds: int = 0
    """When it makes sense to ask again; 0 if there is nothing to ask for."""
    checks: tuple[Check, ...] = ()
    """What a dry run found, in the order of the chain."""

    @classmethod
    def of(
        cls, invocation: Invocation, outcome: Outcome, published: StoredToken, *, retry_after_seconds: int = 0
    ) -> Result:
        """The result of an invocation after which this token is published."""
        expires_at = published.document.expires_at if published.document else None
        return cls(outcome, invocation, published.version_id or None, expires_at, retry_after_seconds)

    def as_rotation(self) -> dict[str, Any]:
        """Return what `rotate` returns: a dry run adds its `checks`."""
        answer = {
            "outcome": str(self.outcome),
            "account": self.invocation.account or None,
            "trigger": str(self.invocation.trigger),
            "version_id": self.version_id,
            "expires_at": self.expires_at,
        }
        return answer | {"checks": [asdict(check) for check in self.checks]} if self.checks else answer

    def as_renewal(self) -> dict[str, Any]:
        """Return what `renew` returns. While a replacement is in progress, its version is not known yet."""
        known = self.outcome is not Outcome.IN_PROGRESS
        return {
            "outcome": str(self.outcome),
            "account": self.invocation.account,
            "version_id": self.version_id if known else None,
            "expires_at": self.expires_at if known else None,
            "retry_after_seconds": self.retry_after_seconds,
        }
