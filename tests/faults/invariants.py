"""What must hold of a token secret whatever happens, told by a witness who looks at it after each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from talend_token import InvalidTokenDocument
from talend_token.document import Sensitive, TokenDocument

# Secrets Manager's quota: versions that are younger than a day are never removed.
VERSIONS_A_DAY = 100
DAY_SECONDS = 86_400
# `expires_at` is in whole seconds.
_SECOND = 1


class InvariantBroken(AssertionError):
    """What should never happen has happened. The message holds versions and times, never a token."""


@dataclass(frozen=True)
class Sight:
    """The token secret at one moment. `version_id` and `text` are those of AWSCURRENT: None while there is none."""

    at: float
    version_id: str | None
    text: Sensitive[str] | None = field(repr=False)
    created: tuple[float, ...] = ()
    """When each of its versions was made."""

    @property
    def document(self) -> TokenDocument | None:
        """What readers understand of it."""
        try:
            return TokenDocument.from_json(self.text) if self.text else None
        except InvalidTokenDocument:
            return None


@dataclass
class Witness:
    """Looks at a token secret after each step of an experiment, and remembers.

    `refused` says whether the system has been told that an access token does not work; `ends` is when one really ends
    by the server's account, in seconds since the epoch: both are given the token, and keep it to themselves. `checked`
    says whether a token has passed all checks.
    """

    refused: Callable[[str], bool] = lambda _: False
    checked: Callable[[str], bool] = lambda _: True
    ends: Callable[[str], float] = lambda _: math.inf
    last: Sight | None = None
    publications: int = 0
    """How often the system has published a token."""
    _by_hand: set[str] = field(default_factory=set)
    _successors: dict[str, set[str]] = field(default_factory=dict)

    def by_hand(self, sight: Sight) -> None:
        """A person or an experiment has just published this, roll-backs included: it need not be good, and the version
        may be replaced once more."""
        self.last = sight
        if sight.version_id:
            self._by_hand.add(sight.version_id)
            self._successors.pop(sight.version_id, None)

    def look(self, sight: Sight, *, wanted: bool = False) -> None:
        """Compare with the last look.

        `wanted` is True if a person forced a rotation, a consumer's token was rejected, or credentials changed: then a
        token that ends earlier than the good one before it is published all the same.

        Raises:
            InvariantBroken: the message says which rule does not hold.
        """
        before, self.last = self.last, sight
        self._within_the_quota(sight.at, sight.created)
        if before is None or sight.version_id == before.version_id:
            if before is not None and (before.text and before.text.reveal()) != (sight.text and sight.text.reveal()):
                raise InvariantBroken(f"version {sight.version_id} has changed what it says")
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
            raise InvariantBroken(f"version {sight.version_id} ends before {before.version_id}, which was good")
