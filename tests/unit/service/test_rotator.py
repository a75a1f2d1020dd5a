"""The one operation: a new token takes the place of exactly the published one, and failures change nothing."""

import dataclasses
import json

import pytest

from doubles import access_token, jwt
from doubles.system import CREDENTIALS, TOKEN, System
from rotator.domain.errors import (
    CredentialsError,
    InvalidTokenResponse,
    RotatorError,
    SecretStoreError,
    TokenUnavailable,
)
from rotator.domain.event import Trigger
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


def test_the_schedule_leaves_a_token_that_would_not_last_until_its_next_tick(system):
    system.rotate()
    system.clock.advance(minutes=5)
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        system.renew()
    system.secrets.fail_on.clear()
    system.clock.advance(minutes=20)
    system.rotate(Trigger.SCHEDULE)
    assert system.published.remaining_seconds(system.clock()) > 1500


def test_a_rotation_takes_two_reads_and_two_writes_and_one_token_call(system):
    system.rotate()
    system.clock.advance(minutes=25)
    system.secrets.calls.clear()
    system.rotate(Trigger.SCHEDULE)
    assert system.secrets.calls == ["read", "read", "stage", "promote"]
    assert len(system.endpoint.calls) == 2


def test_the_token_endpoint_is_asked_with_the_accounts_credentials_until_the_deadline(system):
    system.rotate()
    credentials, api_url, deadline = system.endpoint.calls[0]
    assert (credentials.client_id, credentials.client_secret) == ("abc", "s3cret")
    assert api_url == system.settings.api_url
    # The function has a minute, and keeps ten seconds of it for publication.
    assert deadline == system.clock() + 50


def test_an_api_named_by_the_credentials_wins_over_the_stacks(system):
    system.secrets.put(CREDENTIALS, '{"id": "abc", "secret": "s3cret", "environment": "us"}')
    system.rotate()
    assert system.endpoint.calls[0][1] == "https://api.us.cloud.talend.com"
    assert system.published.api_url == "https://api.us.cloud.talend.com"


def test_each_account_has_its_own_secrets(system):
    system.secrets.put("talend/finance/credentials", "fin:s3cret")
    system.secrets.create("talend/finance/token")
    result = system.rotate(account="finance")
    assert (result.account, result.outcome) == ("finance", Outcome.ROTATED)
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


def test_the_same_token_again_burns_no_version(system):
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
        InvalidTokenResponse, match="/security/oauth/token handed out the published token again"
    ) as caught:
        system.rotate()
    assert caught.value.status == 200
    assert system.secrets.versions(TOKEN) == 1


def test_a_run_that_was_overtaken_leaves_the_newer_token_in_place(system):
    """Without the lock, so that the compare and swap has to hold."""
    system.single_flight.down = True
    system.rotate()
    system.secrets.before["stage"] = system.rotate
    late = system.rotate()
    assert late.outcome is Outcome.SUPERSEDED
    assert late.version_id == system.secrets.label(TOKEN, "AWSCURRENT")
    assert late.expires_at == system.published.expires_at
    assert system.published.access_token == access_token(3)


def test_a_run_whose_staged_token_another_run_promoted_ends_with_the_same_token(system):
    system.single_flight.down = True
    system.rotate()
    system.clock.advance(seconds=1)
    others = []
    system.secrets.before["promote"] = lambda: others.append(system.rotate())
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.ROTATED, "v2")
    assert others[0].version_id == "v2"
    assert system.secrets.versions(TOKEN) == 2


def test_two_first_rotations_at_once_publish_one_token(system):
    system.single_flight.down = True
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
    assert "left staged" in result.warnings[0]


def test_a_token_left_staged_that_is_older_than_the_published_one_is_not_promoted(system):
    system.rotate()
    system.clock.advance(minutes=2)
    older = dataclasses.replace(system.published, access_token="older", issued_at=system.published.issued_at - 1)
    system.secrets.stage(TOKEN, "left", older.to_json())
    assert system.rotate().version_id == "v2"


def test_a_failure_to_promote_burns_one_version_however_often_it_is_tried(system):
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
    assert "v-by-hand" in result.warnings[0]
    assert system.published.access_token == access_token(1)


def test_a_binary_value_in_the_token_secret_is_said_to_be_one(system):
    system.secrets.put(TOKEN, None)
    assert system.rotate().warnings[0].endswith("is not a token document: binary")


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_token_that_a_person_rolled_back_is_not_published_again(system, trigger):
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
def test_a_token_that_was_published_and_put_aside_twice_by_hand_does_not_come_back(system, trigger):
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
def test_a_token_that_was_put_aside_by_hand_as_soon_as_it_was_published_does_not_come_back(system, trigger):
    system.rotate()
    system.clock.advance(minutes=25)
    system.rotate()
    first = system.secrets.document(TOKEN, "AWSPREVIOUS").to_json().reveal()
    system.secrets.promote(TOKEN, "v1", "v2")
    system.secrets.put(TOKEN, first)
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v2"
    assert system.rotate(trigger).version_id == "v3"


@pytest.mark.parametrize("trigger", TRIGGERS)
def test_a_token_that_two_roll_backs_have_put_aside_does_not_come_back(system, trigger):
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
def test_a_token_that_ends_before_the_good_one_is_not_published(system, trigger):
    system.rotate()
    good = system.published
    system.clock.advance(minutes=26)
    system.endpoint.answers = [SHORT, SHORT]
    with pytest.raises(
        InvalidTokenResponse, match=r"lives 239 s, less than .*forced rotation publishes the shorter"
    ) as caught:
        system.rotate(trigger)
    assert (caught.value.status, caught.value.url) == (200, f"{good.api_url}/security/oauth/token")
    assert (system.published, system.secrets.versions(TOKEN)) == (good, 1)
    system.clock.advance(seconds=1)
    assert system.rotate(trigger).outcome is Outcome.ROTATED


def test_a_person_may_have_a_token_that_ends_before_the_good_one(system):
    system.rotate()
    system.endpoint.answers = [SHORT]
    assert system.rotate(Trigger.MANUAL).outcome is Outcome.ROTATED
    assert system.published.life_seconds == 239


def test_a_warning_about_the_new_token_travels_with_the_result(system):
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    assert "audience" in system.rotate().warnings[0]


def test_the_time_that_the_token_endpoint_took_is_reported(system):
    ask = system.endpoint.request_token

    def slowly(*request):
        system.clock.advance(seconds=2)
        return ask(*request)

    system.endpoint.request_token = slowly
    assert system.rotate().token_endpoint_seconds == 2


@pytest.mark.parametrize(
    ("value", "problem"),
    [("", "is empty"), ("no colon", "no colon"), (None, "binary"), ('{"secret": "x"}', "'id'")],
)
def test_credentials_that_cannot_be_used_change_nothing_and_name_account_secret_and_fix(system, value, problem):
    system.rotate()
    system.secrets.create(CREDENTIALS)
    system.secrets.put(CREDENTIALS, value)
    with pytest.raises(CredentialsError, match=problem) as caught:
        system.rotate()
    assert caught.value.account == "default"
    assert str(caught.value).startswith("account 'default'")
    assert CREDENTIALS in str(caught.value)
    assert "tore" in str(caught.value)
    assert system.published.access_token == access_token(1)
    assert system.secrets.versions(TOKEN) == 1


def test_a_credentials_secret_without_a_value_says_how_to_store_one(system):
    system.secrets.create(CREDENTIALS)
    with pytest.raises(CredentialsError, match=rf"has no value yet.*put-secret-value --secret-id {CREDENTIALS} "):
        system.rotate()


def test_an_account_without_secrets_is_named(system):
    with pytest.raises(SecretStoreError, match=r"account 'nobody'.*talend/nobody/token"):
        system.rotate(account="nobody")


@pytest.mark.parametrize("operation", ["read", "stage", "promote"])
def test_a_failure_of_secrets_manager_leaves_the_published_token(system, operation):
    system.rotate()
    system.secrets.fail_on[operation] = "InternalServiceError"
    with pytest.raises(SecretStoreError, match=r"account 'default'.*InternalServiceError"):
        system.rotate()
    assert system.published.access_token == access_token(1)


def test_an_error_tells_how_long_the_published_token_lives(system):
    system.rotate()
    system.endpoint.answers = [TokenUnavailable("url", "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable) as caught:
        system.rotate()
    assert caught.value.expires_at == system.published.expires_at


@pytest.mark.parametrize("unreadable", [False, True])
def test_an_error_where_no_token_is_published_says_that_none_lives(system, unreadable):
    if unreadable:
        system.secrets.put(TOKEN, "not a document")
    system.endpoint.answers = [TokenUnavailable("url", "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable) as caught:
        system.rotate()
    assert caught.value.expires_at == 0


def test_an_error_that_hides_what_is_published_says_nothing_of_its_life(system):
    system.rotate()
    system.secrets.fail_on["read"] = "AccessDeniedException"
    with pytest.raises(SecretStoreError) as caught:
        system.rotate()
    assert caught.value.expires_at is None


def test_changed_credentials_are_used_at_once_and_their_event_twice_delivered_costs_one_token(system):
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


def test_changed_credentials_that_meet_another_run_wait_for_its_end_and_replace_what_it_published(system):
    system.rotate()
    system.clock.advance(minutes=5)
    # A run that has read the old pair holds the lock for five more seconds, and is never heard of again.
    system.single_flight.hold("default", "v1", system.clock() + 5)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert system.endpoint.calls[-1][0].client_secret == "new"
    assert system.clock.slept == [2, 2, 2]


def test_changed_credentials_that_find_the_old_pairs_token_published_meanwhile_replace_it(system):
    system.rotate()
    system.clock.advance(minutes=5)
    version = system.secrets.read(TOKEN, "AWSCURRENT")
    assert system.rotate().version_id == "v2"
    # Readers lag: the change's run sees the version that is replaced already, and the lock remembers that.
    system.secrets.stale[TOKEN] = version
    # Its second look sees what is published.
    system.secrets.before["read"] = lambda: system.secrets.before.update(read=system.secrets.stale.clear)
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v3")


def test_changed_credentials_wait_no_longer_than_the_functions_time(system):
    system.rotate()
    system.clock.advance(minutes=5)
    started = system.clock()
    system.single_flight.hold("default", "v1", started + 600)
    assert system.rotate(issued_after=started).outcome is Outcome.IN_PROGRESS
    # The last ten seconds are kept for publication.
    assert system.clock() - started == 50


def test_only_changed_credentials_wait_for_another_run(system):
    system.rotate()
    system.clock.advance(minutes=5)
    system.single_flight.hold("default", "v1", system.clock() + 5)
    assert system.rotate().outcome is Outcome.IN_PROGRESS
    assert system.clock.slept == []


def test_a_token_left_staged_before_the_credentials_changed_is_not_published_after(system):
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
    system.endpoint.answers = [TokenUnavailable("url", "answered 503", "Wait.", status=503)]
    with pytest.raises(TokenUnavailable) as caught:
        system.rotate()
    assert caught.value.account == "default"
    assert system.published.access_token == access_token(1)
    assert system.secrets.versions(TOKEN) == 1


def test_a_bad_token_is_not_even_staged(system):
    system.endpoint.answers = [{"access_token": "x", "token_type": "Bearer", "expires_in": 30}]
    with pytest.raises(RotatorError, match="minimum"):
        system.rotate()
    assert system.secrets.versions(TOKEN) == 0


def test_a_day_of_schedule_publishes_one_version_a_tick_and_the_token_never_expires(system):
    for _ in range(58):
        system.rotate(Trigger.SCHEDULE)
        system.rotate(Trigger.SCHEDULE)
        assert system.published.remaining_seconds(system.clock()) > 0
        system.clock.advance(minutes=25)
    assert system.secrets.versions(TOKEN) == 58


def test_any_life_that_the_server_grants_works_without_configuration():
    system = System(expires_in=600)
    system.rotate(Trigger.WATCHDOG)
    for _ in range(120):
        system.clock.advance(minutes=1)
        system.rotate(Trigger.WATCHDOG)
        assert system.published.remaining_seconds(system.clock()) > 0
    assert system.secrets.versions(TOKEN) == 1 + 120 // 9


def test_the_answer_is_the_documented_object_and_holds_no_token(system):
    answer = system.rotate(Trigger.SCHEDULE).as_rotation()
    assert answer == {
        "outcome": "rotated",
        "account": "default",
        "trigger": "schedule",
        "version_id": "v1",
        "expires_at": system.published.expires_at,
    }
    assert access_token(1) not in json.dumps(answer)
