"""A rotation replaces exactly the published token with a new one, and a failure changes nothing."""

import pytest

from doubles.system import CREDENTIALS, TOKEN
from doubles.token_endpoint import access_token, jwt
from rotator.domain.errors import (
    InvalidTokenResponse,
    NoCredentialsYet,
    RotatorError,
    SecretStoreError,
)
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from unit.service.conftest import act, answer, unavailable, with_token

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


def test_each_account_has_its_own_secrets(empty):
    empty.secrets.put("talend-token/finance/credentials", "fin:its-own")
    empty.secrets.create("talend-token/finance/token")
    result = empty.rotate(account="finance")
    assert (result.as_rotation()["account"], result.outcome) == ("finance", Outcome.ROTATED)
    assert (empty.secrets.versions("talend-token/finance/token"), empty.secrets.versions(TOKEN)) == (1, 0)
    credentials, deadline = empty.endpoint.calls[0]
    assert (credentials.client_id, credentials.client_secret) == ("fin", "its-own")
    assert credentials.api_url == empty.settings.api_url
    # The function has a minute, of which ten seconds are reserved for publication.
    assert deadline == empty.clock() + 50


@TICKS
def test_a_tick_that_finds_nothing_due_costs_one_read(trigger):
    system = with_token(minutes=0.5)
    system.secrets.calls.clear()
    result = system.rotate(trigger)
    assert (result.outcome, result.version_id) == (Outcome.FRESH, "v1")
    assert result.expires_at == system.published.expires_at
    assert (system.secrets.calls, len(system.endpoint.calls)) == (["read"], 1)


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
    # The log reports this moment if the rotation fails.
    assert empty.invocation.expires_at == 0
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
    match = "/security/oauth/token returned the published token again"
    with pytest.raises(InvalidTokenResponse, match=match) as caught:
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


@pytest.mark.parametrize(
    ("break_it", "problem"),
    [
        (lambda system: system.endpoint.answers.append(unavailable()), r"answered 503 for .*\. Wait\."),
        (lambda system: system.endpoint.answers.append(answer("x", expires_in=10)), "valid for 10 s"),
        (lambda system: system.secrets.create(CREDENTIALS), f"{CREDENTIALS}.* has no value yet"),
    ],
)
def test_a_failure_of_talend_or_the_credentials_leaves_the_published_token(system, break_it, problem):
    break_it(system)
    with pytest.raises(RotatorError, match=problem):
        system.rotate()
    assert system.published.access_token == access_token(1)
    assert system.secrets.versions(TOKEN) == 1
    assert system.invocation.expires_at == system.published.expires_at


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
