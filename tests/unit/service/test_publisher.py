"""What surrounds a replacement: who is told of it, what travels with its result, when to come back."""

import pytest

from doubles import access_token, jwt
from doubles.system import FUNCTION_SECONDS, TOKEN, System
from rotator.domain.errors import SecretStoreError, TokenUnavailable
from rotator.domain.event import Trigger
from rotator.domain.result import Outcome


@pytest.fixture
def system():
    return System()


def event(system, version_id, trigger="manual"):
    return {
        "account": "default",
        "secret_arn": system.secrets.arn(TOKEN),
        "version_id": version_id,
        "expires_at": system.published.expires_at,
        "trigger": trigger,
    }


# --- the event ---


def test_each_publication_is_told_once_after_it_was_made(system):
    system.rotate()
    first = event(system, "v1")
    system.clock.advance(minutes=25)
    system.rotate(Trigger.SCHEDULE)
    assert system.event_bus.sent == [first, event(system, "v2", "schedule")]
    assert access_token(1) not in str(system.event_bus.sent)


def test_a_renewal_is_told_as_well(system):
    system.rotate()
    system.clock.advance(minutes=10)
    system.renew()
    assert system.event_bus.sent[1:] == [event(system, "v2", "rejected")]


def test_a_token_that_was_left_staged_is_told_of_once_it_is_published(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate()
    assert len(system.event_bus.sent) == 1
    system.secrets.fail_on.clear()
    system.rotate()
    assert system.event_bus.sent[1:] == [event(system, "v2")]


def test_where_nothing_was_published_nothing_is_told(system):
    system.rotate()
    system.clock.advance(minutes=10)
    system.rotate(Trigger.WATCHDOG)
    system.rotate(dry_run=True)
    system.endpoint.answers = [{"access_token": access_token(1), "token_type": "Bearer", "expires_in": 900}]
    assert system.rotate().outcome is Outcome.UNCHANGED
    system.endpoint.answers = [TokenUnavailable("url", "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable):
        system.rotate()
    assert len(system.event_bus.sent) == 1


def test_of_two_runs_for_one_version_only_the_one_that_published_tells(system):
    system.rotate()
    system.clock.advance(minutes=10)
    system.renew("v1")
    stale = system.secrets.read(TOKEN, "AWSPREVIOUS")
    system.secrets.stale[TOKEN] = stale
    assert system.renew("v1").outcome is Outcome.SUPERSEDED
    assert len(system.event_bus.sent) == 2


def test_a_run_that_lost_and_reads_what_was_there_before_says_that_it_does_not_know_yet(system):
    """A read that lags behind shows the replaced version: to name it would send consumers back to it."""
    system.rotate()
    system.clock.advance(minutes=10)
    system.single_flight.down = True
    behind = system.secrets.read(TOKEN, "AWSCURRENT")

    def another_run():
        system.rotate()
        system.secrets.stale[TOKEN] = behind

    system.secrets.before["stage"] = another_run
    lost = system.rotate()
    assert (lost.outcome, lost.retry_after_seconds) == (Outcome.IN_PROGRESS, 2)
    assert lost.as_renewal()["version_id"] is None


def test_an_event_that_cannot_be_sent_is_a_warning_and_nothing_else(system):
    system.event_bus.down = True
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    result = system.rotate()
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v1")
    assert "audience" in result.warnings[0]
    assert "not sent (AccessDeniedException)" in result.warnings[1]
    assert system.published_version == "v1"


@pytest.mark.parametrize(("used_seconds", "sent"), [(FUNCTION_SECONDS - 4, 1), (FUNCTION_SECONDS - 3.9, 0)])
def test_an_event_for_which_no_time_is_left_is_not_sent(system, used_seconds, sent):
    def slow():
        system.clock.advance(seconds=used_seconds)

    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    system.secrets.before["stage"] = slow
    result = system.rotate()
    assert result.outcome is Outcome.ROTATED
    assert len(system.event_bus.sent) == sent
    assert "audience" in result.warnings[0]
    assert [("no time was left" in warning) for warning in result.warnings[1:]] == [True] * (1 - sent)


def test_the_event_is_sent_after_the_lock_was_let_go(system):
    """So that a slow event bus keeps no consumer from the token."""
    system.rotate()
    system.clock.advance(minutes=10)
    answers = []
    system.event_bus.rotated = lambda _: answers.append(system.single_flight.once("default", "v1", 0, lambda: None))
    system.renew()
    ((result, own),) = answers
    assert (result.outcome, own) == (Outcome.ROTATED, False)


# --- warnings ---


def test_warnings_of_what_was_published_and_of_the_new_token_travel_with_the_result(system):
    system.secrets.put(TOKEN, "not a document")
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    system.single_flight.down = True
    warnings = system.rotate().warnings
    assert "not a token document" in warnings[0]
    assert "audience" in warnings[1]
    assert "without the lock" in warnings[2]


def test_warnings_of_what_was_published_travel_with_a_token_that_was_left_staged(system):
    system.secrets.put(TOKEN, "not a document")
    system.clock.advance(minutes=2)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate()
    system.secrets.fail_on.clear()
    result = system.rotate()
    assert "not a token document" in result.warnings[0]
    assert "left staged" in result.warnings[1]


def test_warnings_of_what_is_published_travel_with_a_run_that_finds_another_at_it(system):
    system.secrets.put(TOKEN, "not a document", "v1")
    system.single_flight.hold("default", "v1", system.clock() + 5)
    result = system.rotate()
    assert result.outcome is Outcome.IN_PROGRESS
    assert "not a token document" in result.warnings[0]


# --- when to come back ---


def exhaust(system):
    for _ in range(40):
        system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")


def test_an_exhausted_budget_asks_nobody_back_within_a_minute(system):
    """Even if the schedule's tick is due, or overdue."""
    system.rotate()
    exhaust(system)
    for minutes in (24.5, 2):
        system.clock.advance(minutes=minutes)
        result = system.renew()
        assert (result.outcome, result.retry_after_seconds) == (Outcome.BUDGET_EXHAUSTED, 60)


def test_where_nothing_can_be_read_the_next_tick_is_a_whole_interval_away(system):
    for _ in range(40):
        system.secrets.put(TOKEN, "not a document", "v1")
    assert system.renew().retry_after_seconds == 1500
