"""Talend in memory: an authorization server, and an API that accepts its tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.credentials import Credentials

LIFE_SECONDS = 1800
# A token that is returned again is valid for longer than this.
_AGAIN_SECONDS = 600


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
    revoked: set[str] = field(default_factory=set)
    _ends: dict[str, float] = field(default_factory=dict)
    """When each token expires."""
    _last: str = ""

    def knows(self, credentials: Credentials) -> bool:
        return credentials.client_id in self.accounts

    def issue(self, published: str) -> dict[str, Any]:
        """Return the body of an answer. `published` is the token that it may return again although it is revoked."""
        now, left = self.clock(), self._ends.get(self._last, 0) - self.clock()
        if self.same_again and left > _AGAIN_SECONDS and (self.works(self._last) or self._last == published):
            return _body(self._last, int(left))
        if self.life_seconds < LIFE_SECONDS:
            self.last_short_at = now
        if self.revokes_on_issue:
            self.revoked |= self._ends.keys()
        self._last = self.new(self.life_seconds)
        if self.issues_unusable:
            self.revoked.add(self._last)
        return _body(self._last, self.life_seconds)

    def new(self, life_seconds: int) -> str:
        """Return a new access token."""
        token = f"opaque-{len(self._ends) + 1}"
        self._ends[token] = self.clock() + life_seconds
        return token

    def works(self, token: str) -> bool:
        """Return True if the API accepts a token."""
        return token not in self.revoked and self.clock() < self._ends.get(token, 0)

    def end(self, token: str) -> float:
        """Return when a token expires."""
        return self._ends.get(token, math.inf)


def _body(token: str, life_seconds: int) -> dict[str, Any]:
    return {"access_token": token, "token_type": "Bearer", "expires_in": str(life_seconds)}
