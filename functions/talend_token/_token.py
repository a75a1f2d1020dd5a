"""The token that consumers get, and how long a client may hold it. No I/O: the time is an argument."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

# Five minutes of a token's 30 are left when a rotation every 25 minutes replaces it, and they are enough for any token
# that is valid for longer.
_ADVISORY_FRACTION = 6
_ADVISORY_LIMIT_SECONDS = 300


def advisory_seconds(life_seconds: float) -> float:
    """Return for how long before its expiry a token counts as STALE, given for how long it is valid in all.

    The rotator replaces a STALE token, and clients read the secret for its successor.
    """
    return min(_ADVISORY_LIMIT_SECONDS, life_seconds / _ADVISORY_FRACTION)


class Token:
    """One published token. It has no printable form; `access_token` returns it, for the request that needs it."""

    __slots__ = ("_access_token", "_api_url", "_expires_at", "_version_id")

    def __init__(self, access_token: str, *, expires_at: int, version_id: str, api_url: str) -> None:
        self._access_token = access_token
        self._expires_at = expires_at
        self._version_id = version_id
        self._api_url = api_url

    @property
    def access_token(self) -> str:
        """What goes into the header `Authorization: Bearer ...` [RFC 6750, 2.1]."""
        return self._access_token

    @property
    def expires_at(self) -> int:
        """The moment *before* which the token may be used: whole seconds since the epoch, UTC, by AWS's clock."""
        return self._expires_at

    @property
    def version_id(self) -> str:
        """The secret's version that holds it; empty for a token that comes from the environment."""
        return self._version_id

    @property
    def api_url(self) -> str:
        """Base URL of the API that the token is for, without a trailing slash."""
        return self._api_url

    def __repr__(self) -> str:
        return f"Token(version_id={self._version_id!r}, expires_at={self._expires_at}, api_url={self._api_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled: the pickle would show it. Have each process read its own.")


class HeldToken:
    """A token with its expiry on both clocks of this machine, and the moment from which it is STALE.

    `expires_at` is a time of AWS's clock, and this machine's clock may be wrong. So what counts is for how long the
    token was still valid when Secrets Manager answered, by Secrets Manager's own clock. That is added to the machine's
    clocks as they stood *before* the request. A wrong clock does no harm then, and an error is on the safe side.

    A wall clock jumps when an operator sets it, and a monotonic clock stands still while a machine sleeps or is
    restored from a snapshot. So the token counts as expired as soon as one of them says so.
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
            token: what was read.
            issued_at, answered_at: as in `talend_token._sources.Published`.
            wall, monotonic: the machine's clocks before the read.
            before: what the client held then.
        """
        # An answer's date is in whole seconds, so the true time may be up to one second later.
        now = max(issued_at, wall if answered_at is None else answered_at + 1)
        remaining = token.expires_at - now
        if before is not None and before.token.version_id == token.version_id:
            # Reading a token again never makes it valid for longer, whatever date the answer has.
            remaining = min(remaining, before._monotonic_expiry - monotonic)
        self.token = token
        self.issued_at = issued_at
        self.advisory_seconds = advisory_seconds(token.expires_at - issued_at)
        self._wall_expiry = wall + remaining
        self._monotonic_expiry = monotonic + remaining
        self.fresh_until = self._wall_expiry - self.advisory_seconds
        """On the wall clock. The advisory window covers jumps of that clock that are shorter than itself."""

    @classmethod
    def none(cls) -> HeldToken:
        """Return what a client holds before its first read: no token, long expired."""
        token = Token("", expires_at=0, version_id="none yet", api_url="")
        return cls(token, issued_at=0, answered_at=0, wall=0, monotonic=0)

    def remaining_seconds(self, wall: float, monotonic: float) -> float:
        """Return for how many seconds the token is still valid; negative once it has expired."""
        return min(self._wall_expiry - wall, self._monotonic_expiry - monotonic)

    def why_unusable(self, remaining: float, min_remaining: float) -> str:
        """Return, for an error, why a token with `remaining` seconds left is not what a caller needs."""
        published = f"version {self.token.version_id}, published since {_utc(self.issued_at)},"
        if remaining > 0:
            return (
                f"{published} is valid for {remaining:.0f} more seconds, and {min_remaining:g} were asked for. Ask for "
                "fewer, or force a rotation."
            )
        return (
            f"{published} expired at {_utc(self.token.expires_at)}, and no newer token is published. The rotate "
            "function's log says why."
        )


def _utc(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
