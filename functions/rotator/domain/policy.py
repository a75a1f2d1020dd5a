"""Decides when to replace the published token. The functions are pure, and the time is an argument.

All windows are fractions of the time for which the server issued the token, so that no other duration needs
configuration. For Talend's 30 minutes they give the documented figures.
"""

from __future__ import annotations

from enum import Enum, auto

from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.token_response import LONGEST_LIFE_SECONDS
from talend_token.document import TokenDocument, advisory_seconds

# One minute of 30. EventBridge has a precision of one minute, so a tick this soon after a publication is a duplicate.
_YOUNG_FRACTION = 30


class TokenState(Enum):
    """How good a published token is."""

    FRESH = auto()
    """Valid for longer than the advisory window."""
    STALE = auto()
    """Still valid, but due for replacement."""
    INVALID = auto()
    """Expired, missing or unreadable."""


def state_of(document: TokenDocument | None, now: float) -> TokenState:
    """Return the state of a published token; `document` is None if it is missing or unreadable."""
    if document is None or document.remaining_seconds(now) <= 0:
        return TokenState.INVALID
    if document.remaining_seconds(now) <= advisory_seconds(document.life_seconds):
        return TokenState.STALE
    return TokenState.FRESH


def young_seconds_left(document: TokenDocument, now: float) -> float:
    """Return for how many more seconds a token counts as just issued; 0 if it does not.

    An `issued_at` that lies too far in the future is ignored.
    """
    age, young = now - document.issued_at, document.life_seconds / _YOUNG_FRACTION
    return max(0.0, young - age) if age > -young else 0.0


def is_due(invocation: Invocation, published: TokenDocument | None, now: float) -> bool:
    """Return True if this invocation of `rotate` replaces the published token.

    A forced rotation always does, except that after a change of the credentials, a token that was issued later is new
    enough. The schedule replaces every token that was not just issued, because EventBridge may deliver an event twice.
    The watchdog replaces a token that is not FRESH.
    """
    if published is None:
        return True
    if invocation.issued_after is not None:
        return published.issued_at <= invocation.issued_after
    if invocation.trigger is Trigger.MANUAL:
        return True
    if invocation.trigger is Trigger.SCHEDULE:
        return young_seconds_left(published, now) == 0
    return state_of(published, now) is not TokenState.FRESH


def is_worse(trigger: Trigger, new: TokenDocument, published: TokenDocument | None, now: float) -> bool:
    """Return True if the new token expires before the published one.

    Only schedule and watchdog care, because forced rotations and renewals replace the published token anyway. A
    published document is ignored if its `issued_at` is in the future, or if it is valid for more than a day.
    """
    if trigger not in (Trigger.SCHEDULE, Trigger.WATCHDOG) or published is None:
        return False
    credible = published.issued_at <= now and published.life_seconds <= LONGEST_LIFE_SECONDS
    return credible and new.expires_at < published.expires_at


def may_promote(invocation: Invocation, staged: TokenDocument, published: TokenDocument | None, now: float) -> bool:
    """Return True if a token that an interrupted run left staged can be published instead of a new one.

    It must be FRESH and newer than the published one. If the credentials changed, it must have been issued after that.
    A forced rotation and the schedule only accept a token that is at most a few minutes old: an operator may force a
    rotation because something changed at Talend, and the schedule's token must last until the next scheduled rotation.
    """
    if state_of(staged, now) is not TokenState.FRESH:
        return False
    if staged.version_id == invocation.rejected_version_id:
        # It was published, rejected and then rolled back, but a stale read hides that it was published.
        return False
    if invocation.issued_after is not None and staged.issued_at <= invocation.issued_after:
        return False
    # A server that repeats itself has issued the published token to two runs, one of which may have left it staged.
    if published is not None and (staged.holds_same_token(published) or staged.issued_at < published.issued_at):
        return False
    if is_worse(invocation.trigger, staged, published, now):
        return False
    is_recent = now - staged.issued_at < advisory_seconds(staged.life_seconds)
    return is_recent or invocation.trigger not in (Trigger.MANUAL, Trigger.SCHEDULE)
