"""A rotation replaces exactly the published token with a new one, and a failure changes nothing."""

import dataclasses

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from doubles.token_endpoint import access_token, jwt
from rotator.domain.errors import (
    CredentialsError,
    InvalidTokenResponse,
    NoCredentialsYet,
    RotatorError,
    SecretStoreError,
    TokenUnavailable,
)
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from unit.service.conftest import act, answer, leave_staged, unavailable, with_token

TRIGGERS = (Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL)
TICKS = pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])


# --- a rotation ---


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_the_first_rotation_publishes_the_first_token(empty, trigger):
    result = empty.rotate(trigger)
    assert result.outcome is Outcome.ROTATED
    assert empty.secrets.label(TOKEN, "AWSCURRENT") == result.version_id == "v1"
    assert empty.published.access_token == access_token(1)
    assert result.expires_at == empty.published.expires_at == int(empty.clock()) + 1800
    # The first publication needs no promotion.
    assert empty.secrets.calls == ["read", "read", "read", "stage"]


def test_a_rotation_is_two_reads_two_writes_and_a_token_call():
    system = with_token(minutes=25)
    system.secrets.calls.clear()
    assert system.rotate(Trigger.SCHEDULE).as_rotation() == {
        "outcome": "rotated",
        "account": "default",
        "trigger": "schedule",
        "version_id": "v2",
        "expires_at": system.published.expires_at,
    }
    assert system.published.access_token == access_token(2)
    assert system.published.version_id == system.published_version == "v2"
    assert system.secrets.calls == ["read", "read", "stage", "promote"]
    assert (len(system.endpoint.calls), system.secrets.versions(TOKEN)) == (2, 2)


def test_the_token_endpoint_gets_the_accounts_credentials(empty):
    empty.rotate()
    credentials, deadline = empty.endpoint.calls[0]
    assert (credentials.client_id, credentials.client_secret) == ("abc", "s3cret")
    assert credentials.api_url == empty.settings.api_url
    # The function has a minute, of which ten seconds are reserved for publication.
    assert deadline == empty.clock() + 50


def test_each_account_has_its_own_secrets(empty):
    empty.secrets.put("talend-token/finance/credentials", "fin:s3cret")
    empty.secrets.create("talend-token/finance/token")
    result = empty.rotate(account="finance")
    assert (result.as_rotation()["account"], result.outcome) == ("finance", Outcome.ROTATED)
    assert empty.endpoint.calls[0][0].client_id == "fin"
    assert empty.secrets.versions(TOKEN) == 0


@TICKS
def test_a_tick_that_finds_nothing_due_costs_one_read(trigger):
    system = with_token(minutes=0.5)
    system.secrets.calls.clear()
    result = system.rotate(trigger)
    assert (result.outcome, result.version_id) == (Outcome.FRESH, "v1")
    assert result.expires_at == system.published.expires_at
    assert (system.secrets.calls, len(system.endpoint.calls)) == (["read"], 1)


def test_a_day_of_the_schedule_is_one_version_per_tick_without_gaps(empty):
    for _ in range(58):
        empty.rotate(Trigger.SCHEDULE)
        empty.rotate(Trigger.SCHEDULE)
        assert empty.published.remaining_seconds(empty.clock()) > 0
        empty.clock.advance(minutes=25)
    assert empty.secrets.versions(TOKEN) == 58


def test_any_validity_works_without_configuration():
    system = System(expires_in=600)
    system.rotate(Trigger.WATCHDOG)
    for _ in range(120):
        system.clock.advance(minutes=1)
        system.rotate(Trigger.WATCHDOG)
        assert system.published.remaining_seconds(system.clock()) > 0
    assert system.secrets.versions(TOKEN) == 1 + 120 // 9


def test_the_invocation_collects_warnings_in_their_order(empty):
    empty.secrets.put(TOKEN, "not a document")
    empty.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    empty.lock.down = True
    empty.rotate()
    parts = ["not a token", "without the lock", "audience"]
    assert [part in warning for part, warning in zip(parts, empty.invocation.warnings, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("text", "problem"), [("not a document", "not a JSON object"), ("{}", "member 'access_token'"), (None, "binary")]
)
def test_an_unreadable_published_token_is_replaced_with_a_warning(empty, text, problem):
    empty.secrets.put(TOKEN, text)
    assert empty.rotate(Trigger.WATCHDOG).outcome is Outcome.ROTATED
    expected = f"version v-by-hand of secret {TOKEN!r} is not a token document: {problem}"
    assert empty.invocation.warnings[0].startswith(expected)
    assert empty.published.access_token == access_token(1)


# --- the token endpoint's answer ---


def test_the_same_token_again_costs_no_version(system):
    system.endpoint.answers = [answer(access_token(1), expires_in=300)]
    result = system.rotate()
    assert (result.outcome, result.version_id) == (Outcome.UNCHANGED, "v1")
    assert system.secrets.versions(TOKEN) == 1


def test_the_same_token_again_is_an_error_once_it_has_expired():
    system = with_token(minutes=31)
    system.endpoint.answers = [answer(access_token(1), expires_in=1800)]
    with pytest.raises(
        InvalidTokenResponse, match="/security/oauth/token returned the published token again"
    ) as caught:
        system.rotate()
    assert caught.value.status == 200
    assert system.secrets.versions(TOKEN) == 1


@TICKS
def test_a_token_that_expires_before_the_published_is_refused(trigger):
    system = with_token(minutes=26)
    good = system.published
    system.endpoint.answers = [answer(access_token(77), expires_in=239)] * 2
    with pytest.raises(
        InvalidTokenResponse, match=r"expires before the published one .*forced rotation publishes the shorter"
    ) as caught:
        system.rotate(trigger)
    assert (caught.value.status, caught.value.url) == (200, f"{good.api_url}/security/oauth/token")
    assert (system.published, system.secrets.versions(TOKEN)) == (good, 1)
    system.clock.advance(seconds=1)
    assert system.rotate(trigger).outcome is Outcome.ROTATED


# --- failures ---


@pytest.mark.parametrize("operation", ["read", "stage", "promote"])
def test_a_failure_of_secrets_manager_leaves_the_published_token(system, operation):
    system.secrets.fail_on[operation] = "InternalServiceError"
    with pytest.raises(SecretStoreError, match=f"{TOKEN!r} failed with InternalServiceError"):
        system.rotate()
    assert system.published.access_token == access_token(1)
    assert system.invocation.expires_at == (None if operation == "read" else system.published.expires_at)


def test_a_failing_promotion_costs_one_version_in_all():
    system = with_token(minutes=25)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    for _ in range(20):
        with pytest.raises(SecretStoreError):
            system.rotate(Trigger.WATCHDOG)
        system.clock.advance(minutes=1)
    assert system.secrets.versions(TOKEN) == 2


@pytest.mark.parametrize(
    ("answered", "problem"), [(unavailable(), "answered 503"), (answer("x", expires_in=10), "valid for 10 s")]
)
def test_a_failure_of_talend_leaves_the_published_token(system, answered, problem):
    system.endpoint.answers = [answered]
    with pytest.raises(RotatorError, match=problem):
        system.rotate()
    assert system.published.access_token == access_token(1)
    assert system.secrets.versions(TOKEN) == 1
    assert system.invocation.expires_at == system.published.expires_at


@pytest.mark.parametrize("text", [None, "not a document"])
def test_a_failed_invocation_reports_that_no_token_is_published(empty, text):
    if text:
        empty.secrets.put(TOKEN, text)
    empty.endpoint.answers = [unavailable()]
    with pytest.raises(TokenUnavailable):
        empty.rotate()
    assert empty.invocation.expires_at == 0


@pytest.mark.parametrize(
    ("value", "problem"),
    [("", "is empty"), ("no colon", "no colon"), (None, "binary"), ('{"secret": "x"}', "'id'")],
)
def test_unusable_credentials_change_nothing_and_name_the_fix(system, value, problem):
    system.secrets.create(CREDENTIALS)
    system.secrets.put(CREDENTIALS, value)
    with pytest.raises(CredentialsError, match=rf"{CREDENTIALS}.*{problem}.*[Ss]tore"):
        system.rotate()
    assert system.published.access_token == access_token(1)


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REJECTED])
def test_the_error_for_a_secret_without_a_value_names_the_fix(empty, trigger):
    empty.secrets.create(CREDENTIALS)
    with pytest.raises(NoCredentialsYet, match=rf"has no value yet.*put-secret-value --secret-id {CREDENTIALS} "):
        act(empty, trigger)


@TICKS
def test_before_credentials_are_stored_nothing_has_failed(empty, trigger):
    empty.secrets.create(CREDENTIALS)
    result = empty.rotate(trigger)
    assert (result.outcome, result.version_id) == (Outcome.WAITING_FOR_CREDENTIALS, None)
    assert (empty.invocation.expires_at, empty.invocation.warnings) == (0, [])
    empty.secrets.put(CREDENTIALS, "abc:s3cret")
    assert empty.rotate(trigger).outcome is Outcome.ROTATED


@TICKS
def test_credentials_that_were_deleted_are_a_failure(empty, trigger):
    del empty.secrets._secrets[CREDENTIALS]
    with pytest.raises(SecretStoreError, match=CREDENTIALS):
        empty.rotate(trigger)


# --- another run ---


def test_a_run_that_was_overtaken_leaves_the_newer_token_in_place(system):
    """The lock is down, so only the compare and swap protects the version."""
    system.lock.down = True
    system.secrets.before["stage"] = system.rotate
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, system.published_version)
    assert late.expires_at == system.published.expires_at
    assert system.published.access_token == access_token(3)


def test_a_run_that_lost_and_reads_stale_is_in_progress(system):
    """A stale read returns the replaced version, and the result must not send consumers back to it."""
    system.lock.down = True
    behind = system.secrets.read(TOKEN, "AWSCURRENT")

    def another_run():
        system.rotate()
        system.secrets.stale[TOKEN] = behind

    system.secrets.before["stage"] = another_run
    lost = system.rotate()
    assert (lost.outcome, lost.retry_after_seconds) == (Outcome.IN_PROGRESS, 2)
    assert lost.as_renewal()["version_id"] is None


def test_two_first_rotations_at_once_publish_one_token(empty):
    empty.lock.down = True
    empty.secrets.before["stage"] = empty.rotate
    assert empty.rotate().outcome is Outcome.SUPERSEDED
    assert empty.published.access_token == access_token(2)


def test_a_staged_token_that_another_run_promoted_is_reported_once(system):
    system.lock.down = True
    others = []
    system.secrets.before["promote"] = lambda: others.append(system.rotate())
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, "v2")
    assert (others[0].outcome, others[0].version_id) == (Outcome.ROTATED, "v2")
    assert system.secrets.versions(TOKEN) == 2


def test_a_token_published_since_the_first_read_is_not_reported(system):
    """It has both labels when this run looks for a staged token."""
    system.lock.down = True
    read, answers = system.secrets.read, []
    system.secrets.before["promote"] = lambda: answers.append(read(TOKEN, "AWSCURRENT"))
    system.rotate()
    system.secrets.read = lambda secret_id, stage: answers.pop() if answers else read(secret_id, stage)
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, "v2")
    assert len(system.endpoint.calls) == 2


# --- a token that was left staged ---


@pytest.mark.parametrize("trigger", list(Trigger))
def test_a_fresh_token_left_staged_is_promoted_without_a_token_call(trigger):
    system = with_token(minutes=25)
    leave_staged(system, trigger)
    system.clock.advance(minutes=1)
    result = act(system, trigger)
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert (system.published.access_token, system.published.version_id) == (access_token(2), "v2")
    assert len(system.endpoint.calls) == 2
    assert "left staged" in system.invocation.warnings[0]


def test_a_token_left_staged_too_long_is_replaced_by_a_new_one():
    system = with_token(minutes=25)
    leave_staged(system)
    system.clock.advance(minutes=26)
    assert system.rotate(Trigger.SCHEDULE).version_id == "v3"
    assert system.published.access_token == access_token(3)


def test_a_staged_token_older_than_the_published_is_not_promoted():
    system = with_token(minutes=2)
    older = dataclasses.replace(system.published, access_token="older", issued_at=system.published.issued_at - 1)
    system.secrets.stage(TOKEN, "left", older.to_json())
    assert system.rotate().version_id == "v2"


def test_something_unreadable_left_staged_is_ignored(system):
    system.secrets.put(TOKEN, system.published.to_json().reveal())
    system.secrets._secrets[TOKEN].versions["v1"] = None
    assert system.rotate().version_id == "v2"


def test_a_token_that_was_rolled_back_is_not_published_again(system):
    good = system.published.to_json().reveal()
    system.rotate()
    system.secrets.put(TOKEN, good, "v1")
    system.clock.advance(minutes=25)
    fresh = dataclasses.replace(system.secrets.document(TOKEN, "AWSPENDING"), expires_at=int(system.clock()) + 1200)
    system.secrets._secrets[TOKEN].versions["v2"] = fresh.to_json()
    assert system.rotate().version_id == "v3"


def test_a_token_replaced_twice_by_hand_does_not_come_back(system):
    good = system.published
    for seconds in (1, 2):
        system.clock.advance(seconds=seconds)
        expired = dataclasses.replace(good, issued_at=good.issued_at - 1800, expires_at=good.issued_at)
        system.secrets.put(TOKEN, expired.to_json().reveal(), f"by-hand-{seconds}")
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v1"
    assert system.rotate().version_id == "v2"
    assert system.published.access_token == access_token(2)


@pytest.mark.parametrize("again", [False, True])
def test_a_token_rolled_back_does_not_come_back(system, again):
    """An operator moves the label to the first token, stores that again, and may move the label again."""
    first = system.published.to_json().reveal()
    system.rotate()
    system.secrets.promote(TOKEN, "v1", "v2")
    system.clock.advance(seconds=1)
    system.secrets.put(TOKEN, first)
    if again:
        system.secrets.promote(TOKEN, "v1", system.published_version)
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v2"
    # Until then, the lock remembers that v1 was replaced.
    system.clock.advance(seconds=61)
    assert system.rotate().version_id == "v3"


# --- changed credentials ---


def test_a_secret_that_is_not_an_accounts_credentials_is_ignored(empty):
    assert empty.rotate(account="", issued_after=0.0).as_rotation() == {
        "outcome": "ignored",
        "account": None,
        "trigger": "manual",
        "version_id": None,
        "expires_at": None,
    }
    assert empty.secrets.calls == []


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "InternalServiceError"])
def test_changed_credentials_without_a_token_secret_are_ignored(empty, code):
    """They belong to another owner under the same prefix, and AWS denies access to a missing secret."""
    empty.secrets.fail_on["read"] = code
    with pytest.raises(SecretStoreError, match="talend-token/dwh/token"):
        empty.rotate(account="dwh")
    if code == "InternalServiceError":
        with pytest.raises(SecretStoreError):
            empty.rotate(account="dwh", issued_after=0.0)
    else:
        assert empty.rotate(account="dwh", issued_after=0.0).outcome is Outcome.IGNORED


def test_changed_credentials_are_used_once_though_announced_twice(system):
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    change = {"reason": "credentials changed", "issued_after": float(int(system.clock()))}
    system.clock.advance(seconds=2)
    assert system.rotate(**change).outcome is Outcome.ROTATED
    assert system.endpoint.calls[1][0].client_secret == "new"
    system.clock.advance(seconds=1)
    late = system.rotate(**change)
    assert (late.outcome, late.version_id) == (Outcome.FRESH, "v2")
    assert len(system.endpoint.calls) == 2


def test_changed_credentials_wait_for_the_run_that_holds_the_lock(system):
    # A run that has read the old credentials holds the lock for five more seconds, and never releases it.
    system.lock.hold("default", "v1", system.clock() + 5)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert system.endpoint.calls[-1][0].client_secret == "new"
    assert system.clock.slept == [2, 2, 2]


def test_changed_credentials_are_used_after_a_roll_back(system):
    """The lock remembers for 30 seconds that the version was replaced, and no other run follows the change."""
    assert system.rotate().version_id == "v2"
    system.secrets.promote(TOKEN, "v1", "v2")
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v3")


def test_changed_credentials_wait_no_longer_than_the_functions_time(system):
    started = system.clock()
    system.lock.hold("default", "v1", started + 600)
    assert system.rotate(issued_after=started).outcome is Outcome.IN_PROGRESS
    # The last ten seconds are reserved for publication.
    assert system.clock() - started == 50


def test_changed_credentials_replace_a_token_of_the_old_ones(system):
    version = system.secrets.read(TOKEN, "AWSCURRENT")
    assert system.rotate().version_id == "v2"
    # Reads are stale, so this run sees a version that has been replaced already, and the lock remembers that.
    system.secrets.stale[TOKEN] = version
    # Its second attempt sees the published version.
    system.secrets.before["read"] = lambda: system.secrets.before.update(read=system.secrets.stale.clear)
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v3")
