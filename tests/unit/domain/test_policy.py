"""A published token is replaced within windows that depend on the validity that the server granted."""

import dataclasses

import pytest

from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import TokenState, is_due, is_worse, may_promote, state_of, young_seconds_left
from talend_token.document import TokenDocument, advisory_seconds

ISSUED = 1_795_472_989
NOW = ISSUED + 1200
FRESH, STALE, INVALID = TokenState


def document(life=1800, issued_at=ISSUED, of="token"):
    return TokenDocument(of, "Bearer", issued_at, issued_at + life, "https://api.eu.cloud.talend.com")


def by(trigger, **members):
    """Return an invocation with this trigger."""
    return Invocation(trigger, ISSUED + 99_999, **members)


@pytest.mark.parametrize(("life", "window"), [(1800, 300), (3600, 300), (600, 100), (30, 5)])
def test_the_advisory_window_is_five_minutes_of_thirty_and_never_more(life, window):
    assert advisory_seconds(life) == window


@pytest.mark.parametrize(
    ("age", "state"),
    [(0, FRESH), (1499.9, FRESH), (1500, STALE), (1799.9, STALE), (1800, INVALID), (9999, INVALID)],
)
def test_a_token_grows_stale_and_then_invalid_like_a_missing_one(age, state):
    assert state_of(document(), ISSUED + age) is state
    assert state_of(None, ISSUED + age) is INVALID


@pytest.mark.parametrize(("age", "left"), [(0, 60), (59.5, 0.5), (60, 0), (61, 0), (-59, 119), (-60, 0)])
def test_a_token_is_young_for_a_minute_of_its_thirty(age, left):
    assert young_seconds_left(document(), ISSUED + age) == left


# --- whether the published token is replaced ---


@pytest.mark.parametrize(
    ("trigger", "age", "due"),
    [
        (Trigger.MANUAL, 0, True),
        (Trigger.SCHEDULE, 59, False),
        (Trigger.SCHEDULE, 61, True),
        (Trigger.WATCHDOG, 61, False),
        (Trigger.WATCHDOG, 1499, False),
        (Trigger.WATCHDOG, 1500, True),
        (Trigger.WATCHDOG, 1900, True),
    ],
)
def test_each_trigger_replaces_a_token_of_its_age_or_a_missing_one(trigger, age, due):
    assert is_due(by(trigger), document(), ISSUED + age) is due
    assert is_due(by(trigger), None, ISSUED)


@pytest.mark.parametrize(("after", "older"), [(-1, False), (0, True), (60, True)])
def test_changed_credentials_need_a_token_issued_later(after, older):
    """Within the same second, the order is unknown, so the safe choice is another token."""
    changed = by(Trigger.MANUAL, issued_after=ISSUED + after)
    assert is_due(changed, document(), ISSUED + 90) is older
    assert may_promote(changed, document(), None, ISSUED + 90) is not older
    assert is_due(changed, None, ISSUED + 90)


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])
@pytest.mark.parametrize(
    ("life", "published", "worse"),
    [
        (599, document(), True),
        (600, document(), False),
        (61, None, False),
        # A validity that is not credible is ignored: from the future, or of more than a day.
        (61, document(3600, issued_at=NOW + 1), False),
        (61, document(3600, issued_at=NOW), True),
        (61, document(86_401), False),
        (61, document(86_400), True),
    ],
)
def test_a_new_token_must_not_expire_before_the_published_one(trigger, life, published, worse):
    assert is_worse(trigger, document(life, issued_at=NOW), published, NOW) is worse


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REJECTED])
def test_forced_rotations_and_renewals_accept_a_shorter_token(trigger):
    assert not is_worse(trigger, document(60, issued_at=NOW), document(), NOW)


# --- whether a token that was left staged is promoted ---


@pytest.mark.parametrize(
    ("trigger", "longest_age"),
    [(Trigger.WATCHDOG, 1499), (Trigger.REJECTED, 1499), (Trigger.SCHEDULE, 299), (Trigger.MANUAL, 299)],
)
def test_a_staged_token_is_promoted_while_it_is_recent_enough(trigger, longest_age):
    """A forced rotation and the schedule need one of the last five minutes, the others one that is FRESH."""
    assert may_promote(by(trigger), document(), None, ISSUED + longest_age)
    assert not may_promote(by(trigger), document(), None, ISSUED + longest_age + 1)


def test_the_rejected_version_is_not_promoted():
    staged = dataclasses.replace(document(), version_id="v2")
    assert may_promote(by(Trigger.REJECTED, rejected_version_id="v1"), staged, None, ISSUED)
    assert not may_promote(by(Trigger.REJECTED, rejected_version_id="v2"), staged, None, ISSUED)


@pytest.mark.parametrize(("token", "age", "promoted"), [("other", 0, True), ("other", -1, False), ("token", 0, False)])
def test_a_staged_token_that_is_older_or_the_published_one_is_not_promoted(token, age, promoted):
    published = document(issued_at=ISSUED - age, of=token)
    assert may_promote(by(Trigger.MANUAL), document(), published, ISSUED + 10) is promoted


@pytest.mark.parametrize(("trigger", "promoted"), [(Trigger.WATCHDOG, False), (Trigger.REJECTED, True)])
def test_only_renewals_promote_a_staged_token_that_expires_earlier(trigger, promoted):
    assert may_promote(by(trigger), document(590, issued_at=NOW), document(of="other"), NOW) is promoted
