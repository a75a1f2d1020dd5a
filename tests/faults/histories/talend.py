"""Talend in memory: an authorization server, and an API that accepts its tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from faults.histories.incidents import Oddity
from rotator.domain.credentials import Credentials

LIFE_SECONDS = 1800
# More and less than the ten seconds for which a token must be valid after its publication.
_SHORT_SECONDS, _TINY_SECONDS = 120, 8
_LIE_SECONDS = 600


@dataclass
class _Issued:
    ends_at: float
    stated_ends_at: float
    revoked: bool = False


@dataclass
class Talend:
    """An authorization server that issues tokens to the IDs in `accounts`, and an API. `clock` is the true time."""

    clock: Callable[[], float]
    accounts: set[str] = field(default_factory=set)
    life_seconds: int = LIFE_SECONDS
    revokes_on_issue: bool = False
    same_again: bool = False
    issues_unusable: bool = False
    """The API rejects each token that is issued."""
    last_short_at: float = -math.inf
    """When it last issued a token that is valid for a short time."""
    _tokens: dict[str, _Issued] = field(default_factory=dict)
    _last: str | None = None

    def knows(self, credentials: Credentials) -> bool:
        return credentials.client_id in self.accounts

    def issue(self, oddity: Oddity | None, published: str) -> dict[str, Any]:
        """Return the body of an answer. `published` is the token that it may return again although it is revoked."""
        now = self.clock()
        if (oddity is Oddity.SAME or self.same_again) and self._last:
            last = self._tokens[self._last]
            if last.stated_ends_at > now + _LIE_SECONDS and (self.works(self._last) or self._last == published):
                return _body(self._last, int(last.stated_ends_at - now))
        life = {Oddity.SHORT: _SHORT_SECONDS, Oddity.TINY: _TINY_SECONDS}.get(oddity or Oddity.SAME, self.life_seconds)
        if life < LIFE_SECONDS:
            self.last_short_at = now
        if self.revokes_on_issue:
            self.revoke_all()
        self._last = self.new(min(life, _LIE_SECONDS) if oddity is Oddity.LIE else life, life)
        self._tokens[self._last].revoked = self.issues_unusable
        return _body(self._last, life)

    def new(self, life_seconds: float, stated_life_seconds: float) -> str:
        """Return a new access token."""
        token, now = f"opaque-{len(self._tokens) + 1}", self.clock()
        self._tokens[token] = _Issued(now + life_seconds, now + stated_life_seconds)
        return token

    def works(self, token: str) -> bool:
        """Return True if the API accepts a token."""
        issued = self._tokens.get(token)
        return issued is not None and not issued.revoked and self.clock() < issued.ends_at

    def stated_end(self, token: str) -> float:
        """Return when a token expires by the server's answer."""
        return self._tokens[token].stated_ends_at if token in self._tokens else math.inf

    def revoke(self, token: str) -> None:
        if token in self._tokens:
            self._tokens[token].revoked = True

    def revoke_all(self) -> None:
        for issued in self._tokens.values():
            issued.revoked = True


def _body(token: str, life_seconds: int) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": str(life_seconds)}
