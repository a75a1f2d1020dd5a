"""When to replace the published token. Pure: the time is an argument.

All windows follow from the life that the server granted, so that any life works without configuration. The fractions
give the documented figures for Talend's 30 minutes.
"""

from __future__ import annotations

from enum import Enum, auto

from rotator.domain.event import Trigger
from rotator.domain.token_response import LONGEST_LIFE_SECONDS
from talend_token.document import TokenDocument, advisory_seconds

# 1 of 30 minutes: EventBridge fires to the minute, so a tick this soon after a publication is the same tick again.
_YOUNG_FRACTION = 30


class TokenState(Enum):
    """How good a published token is."""

    FRESH = auto()
    """More than the advisory window of life left."""
    STALE = auto()
    """Works, and is due for replacement."""
    INVALID = auto()
    """Expired, missing or unreadable."""


def state_of(document: TokenDocument | None, now: float) -> TokenState:
    """The state of a published token; `None` stands for one that is missing or unreadable."""
    if document is None or document.remaining_seconds(now) <= 0:
        return TokenState.INVALID
    if document.remaining_seconds(now) <= advisory_seconds(document.life_seconds):
        return TokenState.STALE
    return TokenState.FRESH


def young_seconds_left(document: TokenDocument, now: float) -> float:
    """For how much longer a token counts as just issued; 0 if it does not.

    An `issued_at` that lies further in the future than the token could be young is not believed.
    """
    age, young = now - document.issued_at, document.life_seconds / _YOUNG_FRACTION
    return max(0.0, young - age) if age > -young else 0.0


def is_due(trigger: Trigger, document: TokenDocument | None, now: float, *, issued_after: float | None = None) -> bool:
    """True if this trigger replaces a published token like this one.

    A manual rotation always does, unless it only asks for a token that was issued after a moment, and this one was.
    The schedule does, unless the token is so young that this is the same tick delivered twice. The watchdog does when
    the token is not FRESH.
    """
    if document is None:
        return True
    if issued_after is not None:
        return document.issued_at <= issued_after
    if trigger is Trigger.MANUAL:
        return True
    if trigger is Trigger.SCHEDULE:
        return young_seconds_left(document, now) == 0
    return state_of(document, now) is not TokenState.FRESH


def is_worse(trigger: Trigger, new: TokenDocument, published: TokenDocument | None, now: float) -> bool:
    """True if a new token ends before the good one that is published, and nobody has asked for another at that price.

    A person and a consumer whose token was rejected have. A published document that is from the future, or claims to
    live for more than a day, is not believed.
    """
    if trigger not in (Trigger.SCHEDULE, Trigger.WATCHDOG) or published is None:
        return False
    credible = published.issued_at <= now and published.life_seconds <= LONGEST_LIFE_SECONDS
    return credible and new.expires_at < published.expires_at


def may_promote(
    trigger: Trigger,
    staged: TokenDocument,
    published: TokenDocument | None,
    now: float,
    *,
    issued_after: float | None = None,
) -> bool:
    """True if a token that an interrupted run left staged can be published instead of asking for another.

    It must be FRESH and newer than the published one. A manual run and the schedule take only one that is a few minutes
    old: a person may force a rotation because something changed at Talend, and the schedule's token has to last until
    its next tick. After `issued_after`, when the credentials changed, only a token that was issued later will do.
    """
    if state_of(staged, now) is not TokenState.FRESH:
        return False
    if issued_after is not None and staged.issued_at <= issued_after:
        return False
    if published is not None and staged.issued_at < published.issued_at:
        return False
    if is_worse(trigger, staged, published, now):
        return False
    return trigger not in (Trigger.MANUAL, Trigger.SCHEDULE) or now - staged.issued_at < advisory_seconds(
        staged.life_seconds
    )
