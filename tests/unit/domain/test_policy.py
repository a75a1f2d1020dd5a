"""A published token is replaced within windows that depend on the validity that the server granted."""

import dataclasses

import pytest

from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import TokenState, is_due, is_worse, may_promote, state_of, young_seconds_left
from talend_token.document import TokenDocument, advisory_seconds

ISSUED = 1_795_472_989
FRESH, STALE, INVALID = TokenState


def document(life=1800, issued_at=ISSUED):
    return TokenDocument("token", "Bearer", issued_at, issued_at + life, "https://api.eu.cloud.talend.com")


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
def test_a_token_grows_stale_and_then_invalid(age, state):
    assert state_of(document(), ISSUED + age) is state


def test_a_token_that_is_missing_or_unreadable_is_invalid():
    assert state_of(None, ISSUED) is INVALID


@pytest.mark.parametrize(("age", "left"), [(0, 60), (59.5, 0.5), (60, 0), (61, 0), (-59, 119), (-60, 0)])
def test_a_token_is_young_for_a_minute_of_its_thirty(age, left):
    assert young_seconds_left(document(), ISSUED + age) == left


@pytest.mark.parametrize("age", [0, 900, 1700, 9999])
def test_a_manual_rotation_is_never_held_back(age):
    assert is_due(by(Trigger.MANUAL), document(), ISSUED + age)


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL])
def test_every_trigger_replaces_a_missing_token(trigger):
    assert is_due(by(trigger), None, ISSUED)


@pytest.mark.parametrize(("age", "due"), [(1, False), (59, False), (61, True), (180, True), (1500, True)])
def test_the_schedule_replaces_any_token_but_one_of_the_same_tick(age, due):
    assert is_due(by(Trigger.SCHEDULE), document(), ISSUED + age) is due


@pytest.mark.parametrize(("age", "due"), [(61, False), (1499, False), (1500, True), (1900, True)])
def test_the_watchdog_replaces_a_token_that_is_not_fresh(age, due):
    assert is_due(by(Trigger.WATCHDOG), document(), ISSUED + age) is due


QUICK = pytest.mark.parametrize("trigger", [Trigger.WATCHDOG, Trigger.REJECTED])
RARE = pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.MANUAL])


@QUICK
def test_a_fresh_staged_token_is_promoted(trigger):
    assert may_promote(by(trigger), document(), None, ISSUED + 1400)


@QUICK
def test_a_staged_token_that_is_stale_is_not_promoted(trigger):
    assert not may_promote(by(trigger), document(), None, ISSUED + 1600)


def test_the_rejected_version_is_not_promoted():
    staged = dataclasses.replace(document(), version_id="v2")
    assert may_promote(by(Trigger.REJECTED, rejected_version_id="v1"), staged, None, ISSUED)
    assert not may_promote(by(Trigger.REJECTED, rejected_version_id="v2"), staged, None, ISSUED)


def test_a_staged_token_older_than_the_published_one_is_not_promoted():
    assert not may_promote(by(Trigger.MANUAL), document(), document(issued_at=ISSUED + 1), ISSUED + 10)
    assert may_promote(by(Trigger.MANUAL), document(), document(issued_at=ISSUED), ISSUED + 10)


@RARE
@pytest.mark.parametrize(("age", "promoted"), [(0, True), (299, True), (300, False), (1400, False)])
def test_forced_rotation_and_schedule_promote_only_a_recent_token(trigger, age, promoted):
    assert may_promote(by(trigger), document(), None, ISSUED + age) is promoted


@pytest.mark.parametrize(("after", "due"), [(-1, False), (0, True), (600, True)])
def test_changed_credentials_replace_only_an_older_token(after, due):
    """Within the same second, the order is unknown, so the safe choice is another token."""
    assert is_due(by(Trigger.MANUAL, issued_after=ISSUED + after), document(), ISSUED + 700) is due
    assert is_due(by(Trigger.MANUAL, issued_after=ISSUED + after), None, ISSUED + 700)


@pytest.mark.parametrize(("after", "promoted"), [(-1, True), (0, False), (60, False)])
def test_a_token_staged_before_the_moment_is_not_promoted(after, promoted):
    assert may_promote(by(Trigger.MANUAL, issued_after=ISSUED + after), document(), None, ISSUED + 90) is promoted


UNASKED = pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])
NOW = ISSUED + 1200


@UNASKED
@pytest.mark.parametrize(("life", "worse"), [(599, True), (600, False), (601, False)])
def test_a_new_token_must_not_expire_before_the_published_one(trigger, life, worse):
    assert is_worse(trigger, document(life, issued_at=NOW), document(), NOW) is worse


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REJECTED])
def test_forced_rotations_and_renewals_accept_a_shorter_token(trigger):
    assert not is_worse(trigger, document(60, issued_at=NOW), document(), NOW)


@UNASKED
@pytest.mark.parametrize(
    "published",
    [
        None,
        pytest.param(document(1200), id="expired"),
        pytest.param(document(3600, issued_at=NOW + 1), id="from the future"),
        pytest.param(document(86_401), id="of more than a day"),
    ],
)
def test_any_token_is_better_than_a_rejected_one(trigger, published):
    assert not is_worse(trigger, document(61, issued_at=NOW), published, NOW)


@UNASKED
@pytest.mark.parametrize(
    "published", [document(3600, issued_at=NOW), document(86_400)], ids=["issued now", "of a whole day"]
)
def test_a_credible_long_validity_is_kept(trigger, published):
    assert is_worse(trigger, document(61, issued_at=NOW), published, NOW)


@pytest.mark.parametrize(("trigger", "promoted"), [(Trigger.WATCHDOG, False), (Trigger.REJECTED, True)])
def test_only_renewals_promote_a_staged_token_that_expires_earlier(trigger, promoted):
    staged = document(590, issued_at=NOW)
    assert may_promote(by(trigger), staged, document(), NOW) is promoted
