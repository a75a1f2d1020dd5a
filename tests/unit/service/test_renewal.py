"""A rejected token is replaced once for all consumers, and only if that can help."""

import pytest

from doubles.system import CREDENTIALS, TOKEN
from doubles.token_endpoint import access_token
from rotator.domain.errors import CircuitOpen, CredentialsRefused, LockUnavailable
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from unit.service.conftest import act, exhaust, refused

OTHER_VERSION = "another-version-that-is-not-there"


def calls(system):
    """Return the number of token calls since the first rotation."""
    return len(system.endpoint.calls) - 1


# --- compare first ---


def test_a_rejected_token_is_replaced(system):
    assert system.renew().as_renewal() == {
        "outcome": "rotated",
        "account": "default",
        "version_id": "v2",
        "expires_at": system.published.expires_at,
        "retry_after_seconds": 0,
    }
    assert (system.published_version, system.published.access_token) == ("v2", access_token(2))


def test_a_rejected_token_that_is_no_longer_published_costs_nothing(system):
    system.secrets.calls.clear()
    # Neither the lock table nor the token endpoint is needed.
    system.lock.down = True
    result = system.renew(OTHER_VERSION)
    assert (result.outcome, result.as_renewal()["version_id"]) == (Outcome.SUPERSEDED, "v1")
    assert (result.expires_at, result.retry_after_seconds) == (system.published.expires_at, 0)
    assert (calls(system), system.secrets.calls) == (0, ["read"])


@pytest.mark.parametrize("text", [None, "not a document"])
def test_any_rejection_replaces_a_token_that_is_no_longer_valid(system, text):
    system.clock.advance(minutes=21)
    if text:
        system.secrets.put(TOKEN, text)
    assert system.renew(OTHER_VERSION).outcome is Outcome.ROTATED


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


# --- single flight ---


@pytest.mark.parametrize("trigger", [Trigger.REJECTED, Trigger.SCHEDULE, Trigger.MANUAL])
def test_a_run_that_finds_the_lock_taken_returns_at_once(system, trigger):
    answers = []
    system.secrets.before["stage"] = lambda: answers.append(act(system, trigger))
    assert system.renew().outcome is Outcome.ROTATED
    assert answers[0].as_renewal() == {
        "outcome": "in_progress",
        "account": "default",
        "version_id": None,
        "expires_at": None,
        "retry_after_seconds": 2,
    }
    assert (calls(system), system.clock.slept) == (1, [])


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


# --- the version budget ---


@pytest.mark.parametrize(("minutes", "wait"), [(0, 900), (14.5, 60), (16, 60)])
def test_an_exhausted_budget_names_the_next_scheduled_rotation(system, minutes, wait):
    """The wait is never shorter than a minute, even if the scheduled rotation is overdue."""
    exhaust(system)
    system.clock.advance(minutes=minutes)
    result = system.renew()
    assert (result.outcome, result.version_id) == (Outcome.BUDGET_EXHAUSTED, "v1")
    assert system.invocation.version_budget_left == 0
    assert result.as_renewal()["retry_after_seconds"] == pytest.approx(wait, abs=1)
    assert calls(system) == 0


def test_an_exhausted_budget_holds_for_an_unreadable_token_too(system):
    exhaust(system, "not a document")
    result = system.renew()
    assert (result.outcome, result.retry_after_seconds) == (Outcome.BUDGET_EXHAUSTED, 1500)


def test_only_a_renewal_counts_versions_and_reports_how_many_are_left(system):
    # One version ten minutes ago counts until it is a day old.
    system.renew()
    assert system.invocation.version_budget_left == 100 - 10 - 1 - 58 - 1
    system.secrets.calls.clear()
    system.rotate()
    assert "created" not in system.secrets.calls


# --- permanent refusals, and the lock table down ---


@pytest.mark.parametrize("trigger", [Trigger.REJECTED, Trigger.WATCHDOG])
def test_a_refusal_keeps_consumers_and_watchdog_from_the_endpoint(system, trigger):
    system.clock.advance(minutes=25)
    for minute in (1, 2):
        system.endpoint.answers = [refused()]
        with pytest.raises(CredentialsRefused):
            act(system, trigger)
        for _ in range(100):
            with pytest.raises(CircuitOpen, match=rf"{CREDENTIALS}.*Fix the credentials"):
                act(system, trigger)
        assert calls(system) == minute
        system.clock.advance(seconds=61)


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL])
def test_without_the_lock_table_rotation_goes_on_with_a_warning(system, trigger):
    system.clock.advance(minutes=16)
    system.lock.down = True
    # A lock that was not taken is not released.
    system.lock.release = None
    result = system.rotate(trigger)
    assert (result.outcome, system.invocation.lock_unavailable) == (Outcome.ROTATED, True)
    assert "without the lock" in system.invocation.warnings[-1]


def test_without_the_lock_table_renewals_fail_before_a_token_call(system):
    system.lock.down = True
    with pytest.raises(LockUnavailable, match=r"lock table 'locks' .*account 'default'"):
        system.renew()
    assert calls(system) == 0
