"""How a replacement of the published token ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from rotator.domain.event import Trigger


class Outcome(StrEnum):
    """How an invocation ended, failures apart: those raise."""

    ROTATED = "rotated"
    """A new token is published. `renew` calls it `renewed`."""
    FRESH = "fresh"
    """Nothing was due."""
    UNCHANGED = "unchanged"
    """The token endpoint handed out the published token again, so no version was spent on it."""
    SUPERSEDED = "superseded"
    """Another run published meanwhile; this one published nothing. `renew` calls it `already_renewed`."""
    IN_PROGRESS = "in_progress"
    """Another run is replacing the same version at this moment."""
    CHECKED = "checked"
    """A dry run: a token was asked for and checked, nothing was written."""
    TOO_SOON = "too_soon"
    """The token that was rejected is so young that another would fare no better."""
    BUDGET_EXHAUSTED = "budget_exhausted"
    """The secret's versions of the day are kept for the schedule and for a person."""


_RENEWAL_NAMES = {Outcome.ROTATED: "renewed", Outcome.SUPERSEDED: "already_renewed"}


@dataclass(frozen=True)
class Check:
    """What a dry run found out about one link of the chain from the credentials to the published token."""

    link: str
    ok: bool
    detail: str
    """One line: what was found, or the fix."""


@dataclass(frozen=True)
class Result:
    """What an invocation did.

    `version_id` and `expires_at` are those of the token that is published now, as far as this run knows.
    """

    outcome: Outcome
    account: str
    trigger: Trigger
    version_id: str | None = None
    expires_at: int | None = None
    retry_after_seconds: int = 0
    """When it makes sense to ask again; 0 if there is nothing to ask for."""
    token_endpoint_seconds: float | None = None
    """How long the token endpoint took, if it was asked."""
    version_budget_left: int | None = None
    """How many more renewals the secret's version quota has room for, if they were counted."""
    locked: bool = True
    """False if the lock table could not be asked."""
    credentials_refused: bool | None = None
    """Whether the current pair of the credentials secret was of no use; None if none was asked with."""
    secret_arn: str | None = None
    """ARN of the token secret, if it is known."""
    checks: tuple[Check, ...] = ()
    """What a dry run found, in the order of the chain."""
    warnings: tuple[str, ...] = ()

    def as_rotation(self) -> dict[str, Any]:
        """What `rotate` returns; a dry run adds its `checks`."""
        answer = {
            "outcome": str(self.outcome),
            "account": self.account,
            "trigger": str(self.trigger),
            "version_id": self.version_id,
            "expires_at": self.expires_at,
        }
        return answer | {"checks": [asdict(check) for check in self.checks]} if self.checks else answer

    def as_event(self) -> dict[str, Any]:
        """The detail of the event that tells of a publication."""
        return {
            "account": self.account,
            "secret_arn": self.secret_arn,
            "version_id": self.version_id,
            "expires_at": self.expires_at,
            "trigger": str(self.trigger),
        }

    def as_renewal(self) -> dict[str, Any]:
        """What `renew` returns: a reader waits for its `version_id`, which nobody knows while it is in progress."""
        known = self.outcome is not Outcome.IN_PROGRESS
        return {
            "outcome": _RENEWAL_NAMES.get(self.outcome, str(self.outcome)),
            "account": self.account,
            "version_id": self.version_id if known else None,
            "expires_at": self.expires_at if known else None,
            "retry_after_seconds": self.retry_after_seconds,
        }

    @classmethod
    def of_rotation(cls, answer: dict[str, Any]) -> Self:
        """The result behind an answer of `rotate`."""
        return cls(**answer | {"outcome": Outcome(answer["outcome"]), "trigger": Trigger(answer["trigger"])})
