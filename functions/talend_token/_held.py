"""The token that a client holds, with the moments that decide about it. Pure: the time is an argument."""

from __future__ import annotations

from talend_token._token import Token

# 5 of 30 minutes: what a rotation every 25 minutes leaves. Five minutes is enough for any life longer than that.
_ADVISORY_FRACTION = 6
_ADVISORY_LIMIT_SECONDS = 300


def advisory_seconds(life_seconds: float) -> float:
    """How long before its expiry a token of that life counts as STALE: the rotator replaces it, readers look for the
    next one."""
    return min(_ADVISORY_LIMIT_SECONDS, life_seconds / _ADVISORY_FRACTION)


class Held:
    """A token, its expiry on both clocks of this machine, and when it ceases to be FRESH.

    The published expiry is a time of AWS's clock, and this machine's may be wrong. What counts is how much life was
    left when Secrets Manager answered, by its own clock; that much is added to the machine's clocks as they stood
    *before* the question. So a wrong clock does no harm, and an error is on the safe side.

    A wall clock jumps when somebody sets it, a monotonic clock stands still while a machine sleeps or a snapshot is
    stored: the token counts as expired as soon as one of them says so.
    """

    __slots__ = ("_ends_monotonic", "_ends_wall", "advisory_seconds", "fresh_until", "issued_at", "token")

    token: Token
    _ends_monotonic: float

    def __init__(
        self,
        token: Token,
        *,
        issued_at: int,
        answered_at: float | None,
        wall: float,
        monotonic: float,
        before: Held | None = None,
    ) -> None:
        """`issued_at` and `answered_at` as in `talend_token._ports.Published`; `wall` and `monotonic` are the machine's
        clocks when the token was asked for; `before` is what was held then."""
        # Answers carry whole seconds: by now it is up to one second later.
        now = max(issued_at, wall if answered_at is None else answered_at + 1)
        left = token.expires_at - now
        if before is not None and before.token.version_id == token.version_id:
            # A second look at a token finds no longer life, whatever date it comes with.
            left = min(left, before._ends_monotonic - monotonic)
        self.token = token
        self.issued_at = issued_at
        self.advisory_seconds = advisory_seconds(token.expires_at - issued_at)
        self._ends_wall = wall + left
        self._ends_monotonic = monotonic + left
        self.fresh_until = self._ends_wall - self.advisory_seconds
        """On the wall clock. Jumps of that clock by less than the advisory window are covered by the window."""

    def remaining_seconds(self, wall: float, monotonic: float) -> float:
        """Seconds of life left; negative once expired."""
        return min(self._ends_wall - wall, self._ends_monotonic - monotonic)


def nothing() -> Held:
    """What a client holds before its first read: no token, and long expired."""
    token = Token("", expires_at=0, version_id="none yet", api_url="")
    return Held(token, issued_at=0, answered_at=0, wall=0, monotonic=0)
