"""A consumer's token was rejected: it is replaced once for all consumers, and not in vain."""

import dataclasses

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from doubles.token_endpoint import access_token
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsRefused,
    LockUnavailable,
    RejectedTokenAgain,
    SecretStoreError,
    TokenUnavailable,
)
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome

REFUSED = CredentialsRefused("url", CREDENTIALS, "answered 401", "Check.", status=401)
OTHER_VERSION = "another-version-that-is-not-there"


@pytest.fixture
def system():
    """A system whose published token is ten minutes old."""
    system = System()
    system.rotate()
    system.clock.advance(minutes=10)
    return system


def calls(system):
    """Token calls since the first rotation."""
    return len(system.endpoint.calls) - 1


# --- compare first ---


def test_a_rejected_token_is_replaced(system):
    result = system.renew()
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert result.version_id == system.published_version
    assert result.expires_at == system.published.expires_at
    assert system.published.access_token == access_token(2)


def test_a_rejected_token_that_is_no_longer_published_costs_nothing(system):
    system.secrets.calls.clear()
    result = system.renew(OTHER_VERSION)
    assert (result.outcome, result.version_id) == (Outcome.SUPERSEDED, "v1")
    assert result.expires_at == system.published.expires_at
    assert calls(system) == 0
    assert system.secrets.calls == ["read"]


def test_any_rejection_replaces_a_published_token_that_has_expired(system):
    system.clock.advance(minutes=21)
    assert system.renew(OTHER_VERSION).outcome is Outcome.ROTATED


def test_any_rejection_replaces_a_published_token_that_cannot_be_read(system):
    system.secrets.put(TOKEN, "not a document")
    assert system.renew(OTHER_VERSION).outcome is Outcome.ROTATED


def test_the_answer_is_the_documented_object(system):
    assert system.renew().as_renewal() == {
        "outcome": "rotated",
        "account": "default",
        "version_id": "v2",
        "expires_at": system.published.expires_at,
        "retry_after_seconds": 0,
    }
    assert system.renew("v1").as_renewal()["outcome"] == "superseded"


# --- single flight ---


def test_a_storm_of_consumers_makes_one_token_call_and_one_version(system):
    outcomes = [system.renew("v1").outcome for _ in range(1000)]
    assert outcomes == [Outcome.ROTATED] + [Outcome.SUPERSEDED] * 999
    assert calls(system) == 1
    assert system.secrets.versions(TOKEN) == 2


@pytest.mark.parametrize("other", ["renew", "schedule", "manual"])
def test_a_run_that_finds_the_lock_taken_returns_at_once(system, other):
    answers = []
    run = {
        "renew": lambda: system.renew("v1"),
        "schedule": lambda: system.rotate(Trigger.SCHEDULE),
        "manual": system.rotate,
    }[other]
    system.secrets.before["stage"] = lambda: answers.append(run())
    assert system.renew().outcome is Outcome.ROTATED
    assert answers[0].outcome is Outcome.IN_PROGRESS
    assert calls(system) == 1
    if other == "renew":
        assert answers[0].as_renewal() == {
            "outcome": "in_progress",
            "account": "default",
            "version_id": None,
            "expires_at": None,
            "retry_after_seconds": 2,
        }


def test_a_stale_read_is_answered_from_the_locks_record(system):
    stale = system.secrets.read(TOKEN, "AWSCURRENT")
    system.renew()
    system.secrets.stale[TOKEN] = stale
    late = system.renew("v1")
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, "v2")
    duplicate = system.rotate(Trigger.SCHEDULE)
    assert (duplicate.outcome, duplicate.version_id) == (Outcome.SUPERSEDED, "v2")
    assert duplicate.as_rotation()["trigger"] == "schedule"
    assert calls(system) == 1


def test_a_run_that_died_blocks_others_for_its_own_time_only(system):
    system.lock.hold("default", "v1", system.clock() + 20)
    assert system.renew().outcome is Outcome.IN_PROGRESS
    system.clock.advance(seconds=21)
    assert system.renew().outcome is Outcome.ROTATED


def test_a_token_that_a_dead_run_left_staged_is_promoted(system):
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.renew()
    system.secrets.fail_on.clear()
    assert system.renew().outcome is Outcome.ROTATED
    assert system.published.access_token == access_token(2)
    assert calls(system) == 1


def test_a_failed_renewal_releases_the_lock(system):
    system.endpoint.answers = [TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable):
        system.renew()
    assert system.renew().outcome is Outcome.ROTATED


def test_a_rolled_back_version_can_be_replaced_after_a_minute(system):
    first = system.published.to_json().reveal()
    system.renew()
    system.secrets.put(TOKEN, first, "v1")
    assert system.renew("v1").outcome is Outcome.SUPERSEDED
    system.clock.advance(seconds=61)
    assert system.renew("v1").outcome is Outcome.ROTATED


# --- a late loser ---


def test_a_late_loser_never_replaces_a_newer_token(system):
    """Without the lock, which is down: the compare and swap alone holds it back."""
    system.lock.down = True
    system.secrets.before["stage"] = system.rotate
    late = system.rotate(Trigger.SCHEDULE)
    assert late.outcome is Outcome.SUPERSEDED
    assert system.published.access_token == access_token(3)


def test_a_winner_that_outlives_its_lock_is_superseded(system):
    others = []

    def another_takes_over():
        system.clock.advance(seconds=61)
        others.append(system.renew("v1"))

    system.secrets.before["stage"] = another_takes_over
    late = system.renew("v1")
    assert (others[0].outcome, late.outcome) == (Outcome.ROTATED, Outcome.SUPERSEDED)
    assert late.version_id == others[0].version_id == system.published_version


# --- young tokens ---


@pytest.mark.parametrize(("age_seconds", "left_seconds"), [(20, 40), (59.5, 1)])
def test_a_token_younger_than_a_minute_is_not_replaced(system, age_seconds, left_seconds):
    system.renew()
    system.clock.advance(seconds=age_seconds)
    result = system.renew("v2")
    assert result.outcome is Outcome.TOO_SOON
    assert result.as_renewal()["retry_after_seconds"] == left_seconds
    assert calls(system) == 1
    system.clock.advance(seconds=result.retry_after_seconds)
    assert system.renew("v2").outcome is Outcome.ROTATED


def test_a_manual_rotation_is_not_held_back_by_a_young_token(system):
    system.renew()
    assert system.rotate().outcome is Outcome.ROTATED


def repeats(system):
    """The token endpoint returns the published token again."""
    token = system.published.access_token
    system.endpoint.answers.append({"access_token": token, "token_type": "Bearer", "expires_in": 1200})


def test_the_rejected_token_again_is_an_error(system):
    repeats(system)
    with pytest.raises(
        RejectedTokenAgain, match=rf"returned the rejected token again .*{CREDENTIALS}.*\. If .*Talend\."
    ) as caught:
        system.renew()
    assert caught.value.status == 200
    assert system.secrets.versions(TOKEN) == 1


def test_a_storm_over_the_rejected_token_again_is_one_call(system):
    repeats(system)
    with pytest.raises(RejectedTokenAgain):
        system.renew()
    for _ in range(1000):
        with pytest.raises(CircuitOpen):
            system.renew()
    assert calls(system) == 1
    assert system.rotate().outcome is Outcome.ROTATED


def test_an_unchanged_token_holds_back_no_other_run(system):
    repeats(system)
    assert system.rotate(Trigger.SCHEDULE).outcome is Outcome.UNCHANGED
    assert system.renew().outcome is Outcome.ROTATED
    repeats(system)
    assert system.rotate(Trigger.SCHEDULE).outcome is Outcome.FRESH
    assert system.rotate().outcome is Outcome.UNCHANGED
    assert system.rotate().outcome is Outcome.ROTATED


# --- the version budget ---


def test_a_consumer_that_rejects_everything_never_delays_the_schedule():
    system = System()
    outcomes, expired = [], 0
    for minute in range(48 * 60):
        if minute % 25 == 0:
            assert system.rotate(Trigger.SCHEDULE).outcome in (Outcome.ROTATED, Outcome.FRESH)
        expired += system.published.remaining_seconds(system.clock()) <= 0
        outcomes.append(system.renew().outcome)
        system.clock.advance(minutes=1)
    assert expired == 0
    assert outcomes.count(Outcome.BUDGET_EXHAUSTED) > 1000
    assert outcomes.count(Outcome.ROTATED) > 50
    assert [system.rotate().outcome for _ in range(10)] == [Outcome.ROTATED] * 10


def test_an_exhausted_budget_names_the_next_scheduled_rotation(system):
    for _ in range(40):
        system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")
    result = system.renew()
    assert (result.outcome, result.version_id) == (Outcome.BUDGET_EXHAUSTED, "v1")
    assert system.invocation.version_budget_left == 0
    assert 890 <= result.as_renewal()["retry_after_seconds"] <= 900
    assert calls(system) == 0


def test_an_exhausted_budget_blocks_no_rotation(system):
    for _ in range(40):
        system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")
    system.renew()
    assert system.rotate(Trigger.SCHEDULE).outcome is Outcome.ROTATED
    assert system.rotate().outcome is Outcome.ROTATED


def test_an_exhausted_budget_holds_for_an_unreadable_token_too(system):
    for _ in range(40):
        system.secrets.put(TOKEN, "not a document", "v1")
    assert system.renew().outcome is Outcome.BUDGET_EXHAUSTED


def test_a_renewal_says_how_many_are_left(system):
    # One version an hour ago counts until it is a day old.
    system.renew()
    assert system.invocation.version_budget_left == 100 - 10 - 1 - 58 - 1


def test_only_renewals_count_versions(system):
    system.secrets.calls.clear()
    system.rotate()
    assert "created" not in system.secrets.calls


# --- permanent refusals ---


@pytest.mark.parametrize("trigger", [Trigger.REJECTED, Trigger.WATCHDOG])
def test_a_refusal_keeps_consumers_and_watchdog_from_the_endpoint(system, trigger):
    system.clock.advance(minutes=25)
    system.endpoint.answers = [REFUSED]
    with pytest.raises(CredentialsRefused):
        system.renew()
    for _ in range(100):
        with pytest.raises(CircuitOpen, match=rf"{CREDENTIALS}.*Fix the credentials"):
            system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
    assert calls(system) == 1


def test_after_a_minute_one_renewal_asks_again(system):
    system.endpoint.answers = [REFUSED, REFUSED]
    with pytest.raises(CredentialsRefused):
        system.renew()
    system.clock.advance(seconds=61)
    with pytest.raises(CredentialsRefused):
        system.renew()
    with pytest.raises(CircuitOpen):
        system.renew()
    system.clock.advance(seconds=61)
    assert system.renew().outcome is Outcome.ROTATED


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.SCHEDULE])
def test_forced_rotations_and_the_schedule_pass_the_breaker(system, trigger):
    system.endpoint.answers = [REFUSED]
    with pytest.raises(CredentialsRefused):
        system.renew()
    assert system.rotate(trigger).outcome is Outcome.ROTATED


def test_a_forced_rotation_closes_the_breaker_for_renewals(system):
    system.endpoint.answers = [REFUSED]
    with pytest.raises(CredentialsRefused):
        system.renew()
    system.rotate()
    # No time has passed for the breaker, and the published token is old enough to be replaced.
    aged = dataclasses.replace(system.published, issued_at=system.published.issued_at - 600)
    system.secrets.put(TOKEN, aged.to_json().reveal(), "v-aged")
    assert system.renew("v-aged").outcome is Outcome.ROTATED
    assert calls(system) == 3


def test_changed_credentials_are_tried_at_once(system):
    system.endpoint.answers = [REFUSED]
    with pytest.raises(CredentialsRefused):
        system.renew()
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    assert system.renew().outcome is Outcome.ROTATED


# --- the lock table is down ---


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL])
def test_without_the_lock_table_rotation_goes_on_with_a_warning(system, trigger):
    system.clock.advance(minutes=16)
    system.lock.down = True
    result = system.rotate(trigger)
    assert (result.outcome, system.invocation.lock_unavailable) == (Outcome.ROTATED, True)
    assert "without the lock" in system.invocation.warnings[-1]


def test_without_the_lock_table_renewals_fail_before_a_token_call(system):
    system.lock.down = True
    for _ in range(10):
        with pytest.raises(LockUnavailable, match=r"lock table 'locks' .*account 'default'"):
            system.renew()
    assert calls(system) == 0


def test_without_the_lock_table_a_newer_token_is_still_named(system):
    system.lock.down = True
    assert system.renew(OTHER_VERSION).outcome is Outcome.SUPERSEDED
