"""The rules for a token secret that hold whatever happens. A witness looks at the secret after each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from talend_token import InvalidTokenDocument
from talend_token.document import Sensitive, TokenDocument

# Secrets Manager's quota: versions that are younger than a day are never removed.
VERSIONS_A_DAY = 100
DAY_SECONDS = 86_400
# `expires_at` is in whole seconds.
_SECOND = 1


class InvariantBroken(AssertionError):
    """A rule does not hold. The message has versions and times, never a token."""


@lru_cache
def document_in(text: Sensitive[str] | None) -> TokenDocument | None:
    """Return the document in the text of a token secret; None if readers cannot read it."""
    try:
        return TokenDocument.from_json(text) if text else None
    except InvalidTokenDocument:
        return None


@dataclass(frozen=True)
class Sight:
    """The token secret at one moment. `version_id` and `text` are those of AWSCURRENT, or None without one."""

    at: float
    version_id: str | None
    text: Sensitive[str] | None = field(repr=False)
    created: tuple[float, ...] = ()
    """When each of its versions was created."""

    @property
    def document(self) -> TokenDocument | None:
        """The published document; None if readers cannot read it."""
        return document_in(self.text)


@dataclass
class Witness:
    """Compares a token secret with what it was, after each step of an experiment.

    `refused` returns True if the system knows that an access token is rejected. `ends` returns when a token really
    expires, in seconds since the epoch. `checked` returns True if a token has passed all checks.
    """

    refused: Callable[[str], bool] = lambda _: False
    checked: Callable[[str], bool] = lambda _: True
    ends: Callable[[str], float] = lambda _: math.inf
    last: Sight | None = None
    publications: int = 0
    """How many tokens the system has published."""
    _by_hand: set[str] = field(default_factory=set)
    _successors: dict[str, set[str]] = field(default_factory=dict)

    def by_hand(self, sight: Sight) -> None:
        """Note a version that an operator has just published, which may be unusable, and may be replaced once more."""
        self.last = sight
        if sight.version_id:
            self._by_hand.add(sight.version_id)
            self._successors.pop(sight.version_id, None)

    def look(self, sight: Sight, *, wanted: bool = False) -> None:
        """Compare the token secret with the last look.

        `wanted` is True for a forced rotation, a rejected token or changed credentials. Then the new token may expire
        earlier than the valid one before it.

        Raises:
            InvariantBroken: the message names the rule that does not hold.
        """
        before, self.last = self.last, sight
        self._within_the_quota(sight.at, sight.created)
        if before is None or sight.version_id == before.version_id:
            if before is not None and (before.text and before.text.reveal()) != (sight.text and sight.text.reveal()):
                raise InvariantBroken(f"version {sight.version_id} has another text than before")
            return
        self.publications += 1
        after = sight.document
        if sight.version_id is None or after is None:
            raise InvariantBroken(f"what is published as {sight.version_id} is not a complete token document")
        if after.expires_at <= sight.at or self.ends(after.access_token) <= sight.at:
            raise InvariantBroken(f"version {sight.version_id} was published expired")
        if not self.checked(after.access_token):
            raise InvariantBroken(f"version {sight.version_id} was published although its token was not checked")
        if self.refused(after.access_token):
            raise InvariantBroken(f"version {sight.version_id} was published although its token is refused")
        self._one_successor(before, sight)
        self._better(before, after, sight, wanted)

    def _within_the_quota(self, at: float, created: Iterable[float]) -> None:
        young = sum(1 for moment in created if moment > at - DAY_SECONDS)
        if young > VERSIONS_A_DAY:
            raise InvariantBroken(f"{young} versions in 24 hours")

    def _one_successor(self, before: Sight, sight: Sight) -> None:
        assert sight.version_id is not None
        if before.version_id is not None:
            successors = self._successors.setdefault(before.version_id, set())
            successors.add(sight.version_id)
            if len(successors) > 1:
                raise InvariantBroken(f"version {before.version_id} was replaced by {sorted(successors)}")

    def _better(self, before: Sight, after: TokenDocument, sight: Sight, wanted: bool) -> None:
        good = before.document
        if good is None or wanted or good.expires_at <= sight.at or self.refused(good.access_token):
            return
        if after.expires_at + _SECOND < good.expires_at:
            raise InvariantBroken(f"version {sight.version_id} expires before {before.version_id}, which was valid")
