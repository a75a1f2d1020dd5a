"""The token that consumers get, and how long a client may use it. There is no I/O, and the time is an argument."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# A rotation every 25 minutes leaves five of a token's 30 minutes, which are also enough for tokens that are valid for
# longer.
_ADVISORY_FRACTION = 6
_ADVISORY_LIMIT_SECONDS = 300


def advisory_seconds(life_seconds: float) -> float:
    """Return how long before its expiry a token becomes STALE. `life_seconds` is for how long it is valid in total.

    The rotator replaces a STALE token, and clients read the secret for its successor.
    """
    return min(_ADVISORY_LIMIT_SECONDS, life_seconds / _ADVISORY_FRACTION)


class Token:
    """One published token. Its `repr` does not show the access token."""

    __slots__ = ("_access_token", "_api_url", "_expires_at", "_version_id")

    def __init__(self, access_token: str, *, expires_at: int, version_id: str, api_url: str) -> None:
        self._access_token = access_token
        self._expires_at = expires_at
        self._version_id = version_id
        self._api_url = api_url

    @property
    def access_token(self) -> str:
        """The value for the header `Authorization: Bearer ...` [RFC 6750, 2.1]."""
        return self._access_token

    @property
    def expires_at(self) -> int:
        """The moment *before* which the token may be used: whole seconds since the epoch, UTC, by AWS's clock."""
        return self._expires_at

    @property
    def version_id(self) -> str:
        """The version of the secret that holds the token; empty for a token from the environment."""
        return self._version_id

    @property
    def api_url(self) -> str:
        """Base URL of the API that the token is for, without a trailing slash."""
        return self._api_url

    def __repr__(self) -> str:
        return f"Token(version_id={self._version_id!r}, expires_at={self._expires_at}, api_url={self._api_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token cannot be pickled, because the pickle would show it. Let each process read its own.")


class HeldToken:
    """A token with its expiry on both clocks of this machine, and the moment from which it is STALE.

    `expires_at` is a time by AWS's clock, and this machine's clock may be wrong. Therefore, the time
    for which the token was still valid when Secrets Manager answered, by its own clock, is added to the machine's
    clocks as they stood *before* the request. A wrong clock then does no harm, and an error is on the safe side.

    A wall clock jumps when an operator sets it, and a monotonic clock stops while a machine sleeps or is restored from
    a snapshot. So the token counts as expired as soon as one of the two clocks reaches its expiry.
    """

    __slots__ = ("_monotonic_expiry", "_wall_expiry", "advisory_seconds", "fresh_until", "issued_at", "token")

    token: Token
    _monotonic_expiry: float

    def __init__(
        self,
        token: Token,
        *,
        issued_at: int,
        answered_at: float | None,
        wall: float,
        monotonic: float,
        before: HeldToken | None = None,
    ) -> None:
        """
        Args:
            token: the token that was read.
            issued_at, answered_at: as in `talend_token._sources.Published`.
            wall, monotonic: the machine's clocks before the read.
            before: the client's token before the read.
        """
        # An answer's date is in whole seconds, so the true time may be up to one second later.
        now = max(issued_at, wall if answered_at is None else answered_at + 1)
        remaining = token.expires_at - now
        if before is not None and before.token.version_id == token.version_id:
            # Reading a token again must not make it valid for longer, even if the answer's date is wrong.
            remaining = min(remaining, before._monotonic_expiry - monotonic)
        self.token = token
        self.issued_at = issued_at
        self.advisory_seconds = advisory_seconds(token.expires_at - issued_at)
        self._wall_expiry = wall + remaining
        self._monotonic_expiry = monotonic + remaining
        self.fresh_until = self._wall_expiry - self.advisory_seconds
        """A time of the wall clock. Jumps of that clock that are shorter than the advisory window do no harm."""

    @classmethod
    def none(cls) -> HeldToken:
        """Return the placeholder that a client holds before its first read: an empty token that has expired."""
        token = Token("", expires_at=0, version_id="none yet", api_url="")
        return cls(token, issued_at=0, answered_at=0, wall=0, monotonic=0)

    def remaining_seconds(self, wall: float, monotonic: float) -> float:
        """Return for how many seconds the token is still valid; negative once it has expired."""
        return min(self._wall_expiry - wall, self._monotonic_expiry - monotonic)

    def why_unusable(self, remaining: float, min_remaining: float) -> str:
        """Return, for an error message, why a token with `remaining` seconds left is not enough for a caller."""
        published = f"version {self.token.version_id}, published since {_utc(self.issued_at)},"
        if remaining > 0:
            return (
                f"{published} is valid for {remaining:.0f} more seconds, but {min_remaining:g} were requested. "
                "Request fewer, or force a rotation."
            )
        return (
            f"{published} expired at {_utc(self.token.expires_at)}, and no newer token is published. The rotate "
            "function's log says why."
        )


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
