"""What surrounds a replacement: the lock, the warnings, and when to come back."""

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from doubles.token_endpoint import jwt
from rotator.domain.errors import SecretStoreError, TokenUnavailable
from rotator.domain.result import Outcome


@pytest.fixture
def system():
    return System()


def credentials_unavailable():
    return TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)


# --- what is published ---


def test_the_document_names_the_version_that_holds_it(system):
    for version_id in ("v1", "v2"):
        assert system.rotate().version_id == version_id
        assert system.published.version_id == system.published_version == version_id


def test_a_token_that_was_left_staged_is_published_as_it_is(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate()
    system.secrets.fail_on.clear()
    result = system.rotate()
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert system.published.version_id == "v2"
    assert len(system.endpoint.calls) == 2


# --- the lock ---


def test_the_lock_is_released_when_the_run_fails(system):
    system.endpoint.answers = [credentials_unavailable()]
    with pytest.raises(TokenUnavailable):
        system.rotate()
    assert system.rotate().outcome is Outcome.ROTATED


def test_a_lock_that_was_not_taken_is_not_released(system):
    system.lock.down = True
    system.lock.release = None
    assert system.rotate().outcome is Outcome.ROTATED
    assert system.invocation.lock_unavailable


def test_a_run_that_lost_and_reads_stale_is_in_progress(system):
    """A stale read shows the replaced version, and naming that would send consumers back to it."""
    system.rotate()
    system.clock.advance(minutes=10)
    system.lock.down = True
    behind = system.secrets.read(TOKEN, "AWSCURRENT")

    def another_run():
        system.rotate()
        system.secrets.stale[TOKEN] = behind

    system.secrets.before["stage"] = another_run
    lost = system.rotate()
    assert (lost.outcome, lost.retry_after_seconds) == (Outcome.IN_PROGRESS, 2)
    assert lost.as_renewal()["version_id"] is None


# --- warnings ---


def test_the_invocation_collects_warnings_in_their_order(system):
    system.secrets.put(TOKEN, "not a document")
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    system.lock.down = True
    system.rotate()
    assert [
        ("not a token" in one, "without the lock" in one, "audience" in one) for one in system.invocation.warnings
    ] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]


def test_it_keeps_them_when_a_staged_token_is_published(system):
    system.secrets.put(TOKEN, "not a document")
    system.clock.advance(minutes=2)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate()
    system.secrets.fail_on.clear()
    system.rotate()
    assert "not a token document" in system.invocation.warnings[0]
    assert "left staged" in system.invocation.warnings[1]


def test_it_keeps_them_when_another_run_holds_the_lock(system):
    system.secrets.put(TOKEN, "not a document", "v1")
    system.lock.hold("default", "v1", system.clock() + 5)
    result = system.rotate()
    assert result.outcome is Outcome.IN_PROGRESS
    assert "not a token document" in system.invocation.warnings[0]


# --- when to come back ---


def exhaust(system):
    for _ in range(40):
        system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")


def test_an_exhausted_budget_never_asks_back_within_a_minute(system):
    """Even if the scheduled rotation is due, or overdue."""
    system.rotate()
    exhaust(system)
    for minutes in (24.5, 2):
        system.clock.advance(minutes=minutes)
        result = system.renew()
        assert (result.outcome, result.retry_after_seconds) == (Outcome.BUDGET_EXHAUSTED, 60)


def test_without_a_readable_token_the_wait_is_a_whole_interval(system):
    for _ in range(40):
        system.secrets.put(TOKEN, "not a document", "v1")
    assert system.renew().retry_after_seconds == 1500
