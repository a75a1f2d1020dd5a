"""A rotation replaces exactly the published token with a new one, and a failure changes nothing."""

import dataclasses
import json

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

TRIGGERS = (Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL)
SHORT = {"access_token": access_token(77), "token_type": "Bearer", "expires_in": 239}


@pytest.fixture
def system():
    return System()


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_the_first_rotation_publishes_the_first_token(system, trigger):
    result = system.rotate(trigger)
    assert result.outcome is Outcome.ROTATED
    assert system.secrets.label(TOKEN, "AWSCURRENT") == result.version_id == "v1"
    assert system.published.access_token == access_token(1)
    assert result.expires_at == system.published.expires_at == int(system.clock()) + 1800


def test_a_rotation_replaces_the_published_token(system):
    system.rotate()
    system.clock.advance(minutes=25)
    result = system.rotate(Trigger.SCHEDULE)
    assert result.outcome is Outcome.ROTATED
    assert system.published.access_token == access_token(2)
    assert system.secrets.versions(TOKEN) == 2


def test_the_first_publication_needs_no_promotion(system):
    system.rotate()
    assert system.secrets.calls == ["read", "read", "read", "stage"]


def test_the_schedule_promotes_no_token_too_old_to_last(system):
    system.rotate()
    system.clock.advance(minutes=5)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.renew()
    system.secrets.fail_on.clear()
    system.clock.advance(minutes=20)
    system.rotate(Trigger.SCHEDULE)
    assert system.published.remaining_seconds(system.clock()) > 1500


def test_a_rotation_is_two_reads_two_writes_and_a_token_call(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.calls.clear()
    system.rotate(Trigger.SCHEDULE)
    assert system.secrets.calls == ["read", "read", "stage", "promote"]
    assert len(system.endpoint.calls) == 2


def test_the_token_endpoint_gets_the_accounts_credentials(system):
    system.rotate()
    credentials, deadline = system.endpoint.calls[0]
    assert (credentials.client_id, credentials.client_secret) == ("abc", "s3cret")
    assert credentials.api_url == system.settings.api_url
    # The function has a minute, of which ten seconds are reserved for publication.
    assert deadline == system.clock() + 50


def test_the_api_of_the_credentials_takes_precedence_over_the_stacks(system):
    system.secrets.put(CREDENTIALS, '{"id": "abc", "secret": "s3cret", "api_url": "https://api.us.cloud.talend.com"}')
    system.rotate()
    assert system.endpoint.calls[0][0].api_url == "https://api.us.cloud.talend.com"
    assert system.published.api_url == "https://api.us.cloud.talend.com"


def test_each_account_has_its_own_secrets(system):
    system.secrets.put("talend-token/finance/credentials", "fin:s3cret")
    system.secrets.create("talend-token/finance/token")
    result = system.rotate(account="finance")
    assert (result.as_rotation()["account"], result.outcome) == ("finance", Outcome.ROTATED)
    assert system.endpoint.calls[0][0].client_id == "fin"
    assert system.secrets.versions(TOKEN) == 0


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])
def test_a_tick_that_finds_nothing_due_costs_one_read(system, trigger):
    system.rotate()
    system.clock.advance(seconds=5)
    system.secrets.calls.clear()
    result = system.rotate(trigger)
    assert (result.outcome, result.version_id) == (Outcome.FRESH, "v1")
    assert result.expires_at == system.published.expires_at
    assert system.secrets.calls == ["read"]
    assert len(system.endpoint.calls) == 1


def test_the_same_token_again_costs_no_version(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.endpoint.answers = [{"access_token": access_token(1), "token_type": "Bearer", "expires_in": 300}]
    result = system.rotate()
    assert (result.outcome, result.version_id) == (Outcome.UNCHANGED, "v1")
    assert system.secrets.versions(TOKEN) == 1


def test_the_same_token_again_is_an_error_once_it_has_expired(system):
    system.rotate()
    system.clock.advance(minutes=31)
    system.endpoint.answers = [{"access_token": access_token(1), "token_type": "Bearer", "expires_in": 1800}]
    with pytest.raises(
        InvalidTokenResponse, match="/security/oauth/token returned the published token again"
    ) as caught:
        system.rotate()
    assert caught.value.status == 200
    assert system.secrets.versions(TOKEN) == 1


def test_a_run_that_was_overtaken_leaves_the_newer_token_in_place(system):
    """The lock is down, so only the compare and swap protects the version."""
    system.lock.down = True
    system.rotate()
    system.secrets.before["stage"] = system.rotate
    late = system.rotate()
    assert late.outcome is Outcome.SUPERSEDED
    assert late.version_id == system.secrets.label(TOKEN, "AWSCURRENT")
    assert late.expires_at == system.published.expires_at
    assert system.published.access_token == access_token(3)


def test_a_staged_token_that_another_run_promoted_is_reported_once(system):
    system.lock.down = True
    system.rotate()
    system.clock.advance(seconds=1)
    others = []
    system.secrets.before["promote"] = lambda: others.append(system.rotate())
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, "v2")
    assert (others[0].outcome, others[0].version_id) == (Outcome.ROTATED, "v2")
    assert system.secrets.versions(TOKEN) == 2


def test_a_token_published_since_the_first_read_is_not_reported(system):
    """It has both labels when this run looks for a staged token."""
    system.lock.down = True
    system.rotate()
    system.clock.advance(seconds=1)
    read, answers = system.secrets.read, []
    system.secrets.before["promote"] = lambda: answers.append(read(TOKEN, "AWSCURRENT"))
    system.rotate()
    system.secrets.read = lambda secret_id, stage: answers.pop() if answers else read(secret_id, stage)
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, "v2")
    assert len(system.endpoint.calls) == 2


def test_two_first_rotations_at_once_publish_one_token(system):
    system.lock.down = True
    system.secrets.before["stage"] = system.rotate
    late = system.rotate()
    assert late.outcome is Outcome.SUPERSEDED
    assert system.published.access_token == access_token(2)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_fresh_token_left_staged_is_promoted_without_a_token_call(system, trigger):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate(trigger)
    system.secrets.fail_on.clear()
    system.clock.advance(minutes=1)
    result = system.rotate(trigger)
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert system.published.access_token == access_token(2)
    assert len(system.endpoint.calls) == 2
    assert "left staged" in system.invocation.warnings[0]


def test_a_staged_token_older_than_the_published_is_not_promoted(system):
    system.rotate()
    system.clock.advance(minutes=2)
    older = dataclasses.replace(system.published, access_token="older", issued_at=system.published.issued_at - 1)
    system.secrets.stage(TOKEN, "left", older.to_json())
    assert system.rotate().version_id == "v2"


def test_a_failing_promotion_costs_one_version_in_all(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    for _ in range(20):
        with pytest.raises(SecretStoreError):
            system.rotate(Trigger.WATCHDOG)
        system.clock.advance(minutes=1)
    assert system.secrets.versions(TOKEN) == 2


def test_a_token_left_staged_too_long_is_replaced_by_a_new_one(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate()
    system.secrets.fail_on.clear()
    system.clock.advance(minutes=26)
    assert system.rotate(Trigger.SCHEDULE).version_id == "v3"
    assert system.published.access_token == access_token(3)


@pytest.mark.parametrize("text", ["not a document", "{}", None])
def test_an_unreadable_published_token_is_replaced_with_a_warning(system, text):
    system.secrets.put(TOKEN, text)
    result = system.rotate(Trigger.WATCHDOG)
    assert result.outcome is Outcome.ROTATED
    assert "v-by-hand" in system.invocation.warnings[0]
    assert system.published.access_token == access_token(1)


def test_a_binary_value_in_the_token_secret_is_reported_as_binary(system):
    system.secrets.put(TOKEN, None)
    system.rotate()
    assert system.invocation.warnings[0].endswith("is not a token document: binary")


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_token_that_was_rolled_back_is_not_published_again(system, trigger):
    system.rotate()
    good = system.published.to_json().reveal()
    system.clock.advance(minutes=1.5)
    system.rotate()
    system.secrets.put(TOKEN, good, "v1")
    system.clock.advance(minutes=25)
    system.secrets._secrets[TOKEN].versions["v2"] = dataclasses.replace(
        system.secrets.document(TOKEN, "AWSPENDING"), expires_at=int(system.clock()) + 1200
    ).to_json()
    assert system.rotate(trigger).version_id == "v3"
    assert system.published.access_token == access_token(3)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_token_replaced_twice_by_hand_does_not_come_back(system, trigger):
    system.rotate()
    good = system.published
    for seconds in (1, 2):
        system.clock.advance(seconds=seconds)
        expired = dataclasses.replace(good, issued_at=good.issued_at - 1800, expires_at=good.issued_at)
        system.secrets.put(TOKEN, expired.to_json().reveal(), f"by-hand-{seconds}")
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v1"
    assert system.rotate(trigger).version_id == "v2"
    assert system.published.access_token == access_token(2)


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_token_rolled_back_at_once_does_not_come_back(system, trigger):
    system.rotate()
    system.clock.advance(minutes=25)
    system.rotate()
    first = system.secrets.document(TOKEN, "AWSPREVIOUS").to_json().reveal()
    system.secrets.promote(TOKEN, "v1", "v2")
    system.secrets.put(TOKEN, first)
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v2"
    assert system.rotate(trigger).version_id == "v3"


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_token_rolled_back_twice_does_not_come_back(system, trigger):
    system.rotate()
    first = system.published.to_json().reveal()
    system.clock.advance(minutes=25)
    system.rotate()
    system.secrets.promote(TOKEN, "v1", system.published_version)
    system.clock.advance(seconds=1)
    system.secrets.put(TOKEN, first)
    system.secrets.promote(TOKEN, "v1", system.published_version)
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v2"
    system.clock.advance(minutes=4)
    assert system.rotate(trigger).version_id == "v3"
    assert system.published.access_token == access_token(3)


def test_something_unreadable_left_staged_is_ignored(system):
    system.rotate()
    system.secrets.put(TOKEN, system.published.to_json().reveal())
    system.secrets._secrets[TOKEN].versions["v1"] = None
    assert system.rotate().version_id == "v2"


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])
def test_a_token_that_expires_before_the_published_is_refused(system, trigger):
    system.rotate()
    good = system.published
    system.clock.advance(minutes=26)
    system.endpoint.answers = [SHORT, SHORT]
    with pytest.raises(
        InvalidTokenResponse, match=r"expires before the published one .*forced rotation publishes the shorter"
    ) as caught:
        system.rotate(trigger)
    assert (caught.value.status, caught.value.url) == (200, f"{good.api_url}/security/oauth/token")
    assert (system.published, system.secrets.versions(TOKEN)) == (good, 1)
    system.clock.advance(seconds=1)
    assert system.rotate(trigger).outcome is Outcome.ROTATED


def test_a_forced_rotation_accepts_a_token_that_expires_earlier(system):
    system.rotate()
    system.endpoint.answers = [SHORT]
    assert system.rotate(Trigger.MANUAL).outcome is Outcome.ROTATED
    assert system.published.life_seconds == 239


def test_a_warning_about_the_new_token_is_kept(system):
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    system.rotate()
    assert "audience" in system.invocation.warnings[0]


@pytest.mark.parametrize(
    ("value", "problem"),
    [("", "is empty"), ("no colon", "no colon"), (None, "binary"), ('{"secret": "x"}', "'id'")],
)
def test_unusable_credentials_change_nothing_and_name_the_fix(system, value, problem):
    system.rotate()
    system.secrets.create(CREDENTIALS)
    system.secrets.put(CREDENTIALS, value)
    with pytest.raises(CredentialsError, match=problem) as caught:
        system.rotate()
    assert CREDENTIALS in str(caught.value)
    assert "tore" in str(caught.value)
    assert system.published.access_token == access_token(1)
    assert system.secrets.versions(TOKEN) == 1


def test_the_error_for_a_secret_without_a_value_says_how_to_store_one(system):
    system.secrets.create(CREDENTIALS)
    with pytest.raises(CredentialsError, match=rf"has no value yet.*put-secret-value --secret-id {CREDENTIALS} "):
        system.rotate()


def test_an_account_without_secrets_is_named(system):
    with pytest.raises(SecretStoreError, match="talend-token/nobody/token"):
        system.rotate(account="nobody")


@pytest.mark.parametrize("operation", ["read", "stage", "promote"])
def test_a_failure_of_secrets_manager_leaves_the_published_token(system, operation):
    system.rotate()
    system.secrets.fail_on[operation] = "InternalServiceError"
    with pytest.raises(SecretStoreError, match=f"{TOKEN!r} failed with InternalServiceError"):
        system.rotate()
    assert system.published.access_token == access_token(1)


def test_a_failed_invocation_knows_when_the_published_token_expires(system):
    system.rotate()
    system.endpoint.answers = [TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable):
        system.rotate()
    assert system.invocation.expires_at == system.published.expires_at


@pytest.mark.parametrize("unreadable", [False, True])
def test_a_failed_invocation_knows_that_no_token_is_published(system, unreadable):
    if unreadable:
        system.secrets.put(TOKEN, "not a document")
    system.endpoint.answers = [TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable):
        system.rotate()
    assert system.invocation.expires_at == 0


def test_a_failed_read_leaves_the_expiry_unknown(system):
    system.rotate()
    system.secrets.fail_on["read"] = "AccessDeniedException"
    with pytest.raises(SecretStoreError):
        system.rotate()
    assert system.invocation.expires_at is None


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])
def test_before_credentials_are_stored_nothing_has_failed(system, trigger):
    system.secrets.create(CREDENTIALS)
    result = system.rotate(trigger)
    assert (result.outcome, result.version_id) == (Outcome.WAITING_FOR_CREDENTIALS, None)
    assert system.invocation.expires_at == 0
    assert system.invocation.warnings == []
    system.secrets.put(CREDENTIALS, "abc:s3cret")
    assert system.rotate(trigger).outcome is Outcome.ROTATED


@pytest.mark.parametrize("trigger", [Trigger.SCHEDULE, Trigger.WATCHDOG])
def test_credentials_that_were_deleted_are_a_failure(system, trigger):
    del system.secrets._secrets[CREDENTIALS]
    with pytest.raises(SecretStoreError, match=CREDENTIALS):
        system.rotate(trigger)


def test_a_renewal_reports_missing_credentials(system):
    system.secrets.create(CREDENTIALS)
    with pytest.raises(NoCredentialsYet):
        system.renew("v0")


def test_a_secret_that_is_not_an_accounts_credentials_is_ignored(system):
    assert system.rotate(account="", issued_after=0.0).as_rotation() == {
        "outcome": "ignored",
        "account": None,
        "trigger": "manual",
        "version_id": None,
        "expires_at": None,
    }
    assert system.secrets.calls == []


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException"])
def test_changed_credentials_without_a_token_secret_are_ignored(system, code):
    """They belong to another owner under the same prefix, and AWS denies access to a missing secret."""
    system.secrets.fail_on["read"] = code
    assert system.rotate(account="dwh", issued_after=0.0).outcome is Outcome.IGNORED
    with pytest.raises(SecretStoreError):
        system.rotate(account="dwh")


def test_other_failures_after_changed_credentials_are_not_ignored(system):
    system.secrets.fail_on["read"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate(issued_after=0.0)


def test_changed_credentials_are_used_once_though_announced_twice(system):
    system.rotate()
    system.clock.advance(seconds=5)
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
    system.rotate()
    system.clock.advance(minutes=5)
    # A run that has read the old credentials holds the lock for five more seconds, and never releases it.
    system.lock.hold("default", "v1", system.clock() + 5)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert system.endpoint.calls[-1][0].client_secret == "new"
    assert system.clock.slept == [2, 2, 2]


def test_changed_credentials_replace_a_token_of_the_old_ones(system):
    system.rotate()
    system.clock.advance(minutes=5)
    version = system.secrets.read(TOKEN, "AWSCURRENT")
    assert system.rotate().version_id == "v2"
    # Reads are stale, so this run sees a version that has been replaced already, and the lock remembers that.
    system.secrets.stale[TOKEN] = version
    # Its second attempt sees the published version.
    system.secrets.before["read"] = lambda: system.secrets.before.update(read=system.secrets.stale.clear)
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v3")


def test_changed_credentials_are_used_after_a_roll_back(system):
    """The lock remembers for 30 seconds that the version was replaced, and no other run follows the change."""
    system.rotate()
    system.clock.advance(minutes=5)
    system.rotate()
    system.secrets.promote(TOKEN, "v1", "v2")
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v3")


def test_changed_credentials_wait_no_longer_than_the_functions_time(system):
    system.rotate()
    system.clock.advance(minutes=5)
    started = system.clock()
    system.lock.hold("default", "v1", started + 600)
    assert system.rotate(issued_after=started).outcome is Outcome.IN_PROGRESS
    # The last ten seconds are reserved for publication.
    assert system.clock() - started == 50


def test_only_changed_credentials_wait_for_another_run(system):
    system.rotate()
    system.clock.advance(minutes=5)
    system.lock.hold("default", "v1", system.clock() + 5)
    assert system.rotate().outcome is Outcome.IN_PROGRESS
    assert system.clock.slept == []


def test_a_token_staged_before_credentials_changed_is_not_promoted(system):
    system.rotate()
    system.clock.advance(seconds=90)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.rotate()
    system.secrets.fail_on.clear()
    system.clock.advance(seconds=5)
    assert system.rotate(issued_after=float(int(system.clock()))).version_id == "v3"
    assert len(system.endpoint.calls) == 3


def test_a_token_endpoint_that_fails_leaves_the_published_token(system):
    system.rotate()
    system.endpoint.answers = [TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable):
        system.rotate()
    assert system.published.access_token == access_token(1)
    assert system.secrets.versions(TOKEN) == 1


def test_a_bad_token_is_not_even_staged(system):
    system.endpoint.answers = [{"access_token": "x", "token_type": "Bearer", "expires_in": 10}]
    with pytest.raises(RotatorError, match="valid for 10 s"):
        system.rotate()
    assert system.secrets.versions(TOKEN) == 0


def test_a_day_of_the_schedule_is_one_version_per_tick_without_gaps(system):
    for _ in range(58):
        system.rotate(Trigger.SCHEDULE)
        system.rotate(Trigger.SCHEDULE)
        assert system.published.remaining_seconds(system.clock()) > 0
        system.clock.advance(minutes=25)
    assert system.secrets.versions(TOKEN) == 58


def test_any_validity_works_without_configuration():
    system = System(expires_in=600)
    system.rotate(Trigger.WATCHDOG)
    for _ in range(120):
        system.clock.advance(minutes=1)
        system.rotate(Trigger.WATCHDOG)
        assert system.published.remaining_seconds(system.clock()) > 0
    assert system.secrets.versions(TOKEN) == 1 + 120 // 9


def test_the_answer_is_documented_and_holds_no_token(system):
    answer = system.rotate(Trigger.SCHEDULE).as_rotation()
    assert answer == {
        "outcome": "rotated",
        "account": "default",
        "trigger": "schedule",
        "version_id": "v1",
        "expires_at": system.published.expires_at,
    }
    assert access_token(1) not in json.dumps(answer)
