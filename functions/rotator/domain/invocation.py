"""One invocation of a function: what it was asked for, and what its log line and metrics will say."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_ACCOUNT = "default"
# What publishing takes of the function's time after the token endpoint has answered.
_PUBLICATION_SECONDS = 10


class Trigger(StrEnum):
    """Why a replacement of the published token was asked for."""

    SCHEDULE = "schedule"
    WATCHDOG = "watchdog"
    MANUAL = "manual"
    REJECTED = "rejected"


@dataclass
class Invocation:
    """One invocation of `rotate` or `renew`. The first members come from the event, the others are noted on the way."""

    trigger: Trigger
    ends_at: float
    """When the function's time is up, in seconds since the epoch."""
    account: str = DEFAULT_ACCOUNT
    """The account's short name; empty if the event is about a secret that is not an account's credentials."""
    dry_run: bool = False
    reason: str | None = None
    issued_after: float | None = None
    """When the credentials changed, in seconds since the epoch: only a token that was issued later will do."""
    rejected_version_id: str | None = None

    expires_at: int | None = None
    """When the published token expires, in seconds since the epoch: 0 if there is none, None if that is not known."""
    credentials_refused: bool | None = None
    """True if the current credentials were refused or could not be read, None if the token endpoint was not asked."""
    lock_unavailable: bool = False
    version_budget_left: int | None = None
    """How many more renewals the secret's version quota has room for, if they were counted."""
    warnings: list[str] = field(default_factory=list)

    @property
    def token_deadline(self) -> float:
        """When the token endpoint must have answered, in seconds since the epoch."""
        return self.ends_at - _PUBLICATION_SECONDS

    def warn(self, warning: str) -> None:
        """Add a line to what the log says, unless it is there already."""
        if warning not in self.warnings:
            self.warnings.append(warning)
