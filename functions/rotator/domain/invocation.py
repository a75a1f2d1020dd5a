"""One invocation of a function: its input, and the facts that its log line and metrics report."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

DEFAULT_ACCOUNT = "default"
# Time reserved for publishing after the token endpoint has answered.
_PUBLICATION_SECONDS = 10


class Trigger(StrEnum):
    """Why a replacement of the published token was asked for."""

    SCHEDULE = "schedule"
    WATCHDOG = "watchdog"
    MANUAL = "manual"
    REJECTED = "rejected"


@dataclass
class Invocation:
    """One invocation of `rotate` or `renew`.

    The members up to `rejected_version_id` come from the event, and the others are filled in during the run.
    """

    trigger: Trigger
    ends_at: float
    """When Lambda stops the function, in seconds since the epoch."""
    account: str = DEFAULT_ACCOUNT
    """The account's short name; empty if the event is about a secret that does not belong to an account."""
    dry_run: bool = False
    reason: str | None = None
    issued_after: float | None = None
    """When the credentials changed, in seconds since the epoch. Only a token that was issued later is new enough."""
    rejected_version_id: str | None = None

    expires_at: int | None = None
    """When the published token expires, in seconds since the epoch; 0 if there is none, None if it is unknown."""
    credentials_refused: bool | None = None
    """True if the current credentials were refused or could not be read, None if no token was requested."""
    lock_unavailable: bool = False
    version_budget_left: int | None = None
    """The number of renewals that the secret's version quota still allows, if it was counted."""
    warnings: list[str] = field(default_factory=list)

    @property
    def token_deadline(self) -> float:
        """When the token endpoint must have answered, in seconds since the epoch."""
        return self.ends_at - _PUBLICATION_SECONDS

    def warn(self, warning: str) -> None:
        """Add a warning to the log line, unless it is there already."""
        if warning not in self.warnings:
            self.warnings.append(warning)
