"""What the client asks of the outside world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from talend_token._token import Token


@dataclass(frozen=True)
class Published:
    """What a token secret holds now."""

    token: Token
    issued_at: int
    """When the token was asked for: whole seconds since the epoch, UTC, by AWS's clock."""
    answered_at: float | None
    """When the source answered, by AWS's clock; it may be up to a second earlier. None if it did not say."""


@dataclass(frozen=True)
class Renewal:
    """What the `renew` function answered."""

    outcome: str
    """`renewed`, `already_renewed`, `in_progress`, `too_soon` or `budget_exhausted`."""
    retry_after_seconds: float = 0


class TokenSource(Protocol):
    """Where tokens come from. Both methods may be called from several threads at once."""

    def read(self) -> Published:
        """The token that is published now, whatever its state. Raises `TokenUnavailable` if it cannot be read."""

    def renew(self, rejected_version_id: str) -> Renewal:
        """Ask, once, for another token in the place of that version. Raises `RenewalFailed`."""

    def __str__(self) -> str:
        """How errors name it, such as `secret 'talend/default/token'`."""
