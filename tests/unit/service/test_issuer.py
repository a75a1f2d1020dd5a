"""Refused credentials give way to the previous ones, and a token that its API rejects is not published."""

import json

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from doubles.token_endpoint import access_token, jwt
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsError,
    CredentialsRefused,
    InvalidTokenResponse,
    RejectedTokenAgain,
    SecretStoreError,
    TokenRejectedByProbe,
    TokenUnavailable,
)
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from rotator.ports import Verdict

MINUTE = 61


def refused(status=401):
    return CredentialsRefused("url", CREDENTIALS, f"answered {status}", "Check.", status=status)


def unavailable():
    return TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)


@pytest.fixture
def system():
    """A system whose published token is ten minutes old, and whose credentials have just been changed."""
    system = System()
    system.rotate()
    system.clock.advance(minutes=10)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    return system


def asked_with(system):
    """The secrets that were sent to the token endpoint since the change, in order."""
    return [credentials.client_secret for credentials, _ in system.endpoint.calls[1:]]


def warnings(system):
    return " ".join(system.invocation.warnings)


def age(system):
    """Make the published token ten minutes older, while no time passes for the breaker."""
    members = json.loads(system.published.to_json().reveal())
    members |= {"issued_at": members["issued_at"] - 600}
    system.secrets.put(TOKEN, json.dumps(members), f"aged-{system.published_version}")


# --- the previous credentials ---


@pytest.mark.parametrize("trigger", list(Trigger))
def test_current_credentials_that_work_are_the_only_ones_sent(system, trigger):
    system.clock.advance(minutes=16)
    result = system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
    assert result.outcome is Outcome.ROTATED
    assert (system.invocation.credentials_refused, system.invocation.warnings) == (False, [])
    assert asked_with(system) == ["new"]


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_credentials_give_way_to_the_previous_ones(system, trigger, status):
    system.clock.advance(minutes=16)
    system.endpoint.answers = [refused(status)]
    result = system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
    assert (result.outcome, system.invocation.credentials_refused) == (Outcome.ROTATED, True)
    assert asked_with(system) == ["new", "s3cret"]
    (warning,) = system.invocation.warnings
    assert "the current credentials are unusable, so the previous ones are used if they work" in warning
    assert f"answered {status} for the credentials in secret {CREDENTIALS!r}. Check." in warning
    assert system.published.access_token == access_token(3)


def test_a_warning_about_the_previous_ones_token_is_kept_too(system):
    system.endpoint.answers = [refused(), {"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    system.rotate()
    first, second = system.invocation.warnings
    assert "the previous ones are used" in first
    assert "audience" in second


@pytest.mark.parametrize("value", ["no colon", "", None])
def test_unreadable_credentials_give_way_too(system, value):
    system.secrets.put(CREDENTIALS, value, "credentials-3")
    system.rotate()
    assert asked_with(system) == ["new"]
    assert system.invocation.credentials_refused
    assert f"the previous ones are used if they work: credentials secret {CREDENTIALS!r}" in warnings(system)


def test_each_version_is_sent_to_its_own_api(system):
    us = "https://api.us.cloud.talend.com"
    system.secrets.put(
        CREDENTIALS, '{"id": "abc", "secret": "of-us", "api_url": "https://api.us.cloud.talend.com"}', "credentials-3"
    )
    system.endpoint.answers = [refused()]
    system.rotate()
    assert [credentials.api_url for credentials, _ in system.endpoint.calls[1:]] == [us, system.settings.api_url]
    assert system.published.api_url == system.settings.api_url


@pytest.mark.parametrize(
    "error", [unavailable(), InvalidTokenResponse("url", CREDENTIALS, "sent no token", "Report it.")]
)
def test_other_failures_do_not_bring_up_the_previous_credentials(system, error):
    system.endpoint.answers = [error]
    with pytest.raises(type(error)):
        system.rotate()
    assert asked_with(system) == ["new"]
    assert system.invocation.credentials_refused is None


def test_if_both_are_refused_the_first_refusal_is_raised(system):
    system.endpoint.answers = [refused(401), refused(403)]
    with pytest.raises(CredentialsRefused, match="answered 401"):
        system.rotate()
    assert "the previous credentials are unusable too: token endpoint url answered 403" in warnings(system)
    assert system.invocation.credentials_refused
    assert system.published.access_token == access_token(1)


def test_without_previous_credentials_the_refusal_is_raised(system):
    system.secrets.create(CREDENTIALS)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    system.endpoint.answers = [refused()]
    with pytest.raises(CredentialsRefused):
        system.rotate()
    assert system.invocation.credentials_refused
    assert "unusable too" not in warnings(system)


def test_a_stale_read_does_not_try_the_same_credentials_twice(system):
    """It shows the previous version as the current one."""
    system.secrets.stale[CREDENTIALS] = system.secrets.read(CREDENTIALS, "AWSPREVIOUS")
    system.endpoint.answers = [refused()]
    with pytest.raises(CredentialsRefused):
        system.rotate()
    assert asked_with(system) == ["s3cret"]


def test_unreadable_previous_credentials_are_a_warning(system):
    system.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    system.secrets.put(CREDENTIALS, "abc:newest", "credentials-3")
    system.endpoint.answers = [refused()]
    with pytest.raises(CredentialsRefused):
        system.rotate()
    assert "no colon" in warnings(system)


def test_if_neither_can_be_read_the_first_problem_is_raised(system):
    system.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    system.secrets.put(CREDENTIALS, "", "credentials-3")
    with pytest.raises(CredentialsError, match="is empty"):
        system.rotate()
    assert "no colon" in warnings(system)
    assert asked_with(system) == []


def test_a_temporary_failure_of_previous_credentials_opens_no_breaker(system):
    system.endpoint.answers = [refused(), unavailable()]
    with pytest.raises(TokenUnavailable):
        system.renew()
    assert system.invocation.credentials_refused
    assert "answered 401" in warnings(system)
    assert system.renew().outcome is Outcome.ROTATED


def test_a_failed_read_of_the_previous_credentials_is_raised(system):
    read = system.secrets.read

    def hide(secret_id, stage):
        if stage == "AWSPREVIOUS":
            raise SecretStoreError("read", secret_id, "InternalServiceError", "Wait.")
        return read(secret_id, stage)

    system.secrets.read = hide
    system.endpoint.answers = [refused()]
    with pytest.raises(SecretStoreError):
        system.rotate()
    assert "answered 401" in warnings(system)


# --- the breaker ---


def test_while_the_previous_credentials_work_the_breaker_stays_closed(system):
    """The price is one refused call a renewal, and `too_soon` keeps renewals a minute apart."""
    for _ in range(3):
        system.endpoint.answers = [refused()]
        age(system)
        assert system.renew().outcome is Outcome.ROTATED
    assert asked_with(system) == ["new", "s3cret"] * 3


@pytest.mark.parametrize("trigger", [Trigger.REJECTED, Trigger.WATCHDOG])
def test_two_refusals_are_two_token_calls_a_minute(system, trigger):
    system.clock.advance(minutes=16)
    for _ in range(2):
        system.endpoint.answers = [refused(), refused()]
        with pytest.raises(CredentialsRefused):
            system.renew()
        for _ in range(100):
            with pytest.raises(CircuitOpen, match=CREDENTIALS):
                system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
        system.clock.advance(seconds=MINUTE)
    assert asked_with(system) == ["new", "s3cret"] * 2


def test_a_forced_rotation_that_succeeds_closes_the_breaker(system):
    system.endpoint.answers = [refused(), refused()]
    with pytest.raises(CredentialsRefused):
        system.renew()
    for act in (system.rotate, system.renew):
        act()
        assert system.invocation.credentials_refused is False
        age(system)
    assert asked_with(system) == ["new", "s3cret", "new", "new"]


def test_only_a_forced_rotation_closes_the_breaker(system):
    """The schedule passes the breaker and costs it no write."""
    closed = []
    system.breaker.close = closed.append
    system.clock.advance(minutes=1)
    system.rotate(Trigger.SCHEDULE)
    assert closed == []
    system.rotate()
    assert closed == ["default/credentials-2"]


def test_changed_credentials_are_tried_at_once(system):
    system.endpoint.answers = [refused(), refused()]
    with pytest.raises(CredentialsRefused):
        system.renew()
    system.secrets.put(CREDENTIALS, "abc:newest", "credentials-3")
    assert system.renew().outcome is Outcome.ROTATED
    assert asked_with(system)[2:] == ["newest"]


def test_the_rejected_token_again_does_not_bring_up_previous_ones(system):
    system.endpoint.answers = [
        {"access_token": system.published.access_token, "token_type": "Bearer", "expires_in": 1200}
    ]
    with pytest.raises(RejectedTokenAgain):
        system.renew()
    with pytest.raises(CircuitOpen):
        system.renew()
    assert asked_with(system) == ["new"]


# --- the probe ---


@pytest.fixture
def probing():
    """A system that tries each new token, with a published one that is ten minutes old."""
    system = System(probe_path="/account/users")
    system.rotate()
    system.clock.advance(minutes=10)
    return system


def test_without_a_probe_path_no_token_is_tried(system):
    system.rotate()
    assert system.probe.calls == []


def test_a_new_token_is_tried_before_it_is_staged(probing):
    probing.secrets.before["stage"] = lambda: probing.probe.calls.append("staged")
    assert probing.rotate().outcome is Outcome.ROTATED
    _, (document, path, deadline), staged = probing.probe.calls
    assert (document.access_token, path, staged) == (access_token(2), "/account/users", "staged")
    assert deadline == probing.clock() + 50


def test_a_token_that_its_api_rejects_is_not_even_staged(probing):
    probing.probe.verdicts = [Verdict.REJECTED]
    with pytest.raises(
        TokenRejectedByProbe, match=f"/account/users answered 401 for the credentials in secret {CREDENTIALS!r}"
    ) as caught:
        probing.rotate()
    assert caught.value.url == "https://api.eu.cloud.talend.com/security/oauth/token"
    assert caught.value.status == 200
    assert probing.secrets.versions(TOKEN) == 1
    assert probing.published.access_token == access_token(1)
    assert access_token(2) not in str(caught.value)


def test_an_unknown_probe_result_passes_with_a_warning(probing):
    probing.probe.verdicts = [Verdict.UNKNOWN]
    result = probing.rotate()
    assert result.outcome is Outcome.ROTATED
    assert probing.invocation.warnings == [
        "the probe did not show whether the token is valid: "
        "https://api.eu.cloud.talend.com/account/users answered as scripted",
    ]


def test_a_token_that_is_accepted_passes_without_a_warning(probing):
    probing.rotate()
    assert probing.invocation.warnings == []


def test_a_storm_over_a_token_that_the_probe_rejects_is_one_call(probing):
    probing.probe.verdicts = [Verdict.REJECTED]
    with pytest.raises(TokenRejectedByProbe):
        probing.renew()
    for _ in range(100):
        with pytest.raises(CircuitOpen):
            probing.renew()
    assert len(probing.endpoint.calls) == 2
    assert probing.rotate().outcome is Outcome.ROTATED


def test_a_token_of_the_previous_credentials_is_tried_too(probing):
    probing.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    probing.endpoint.answers = [refused()]
    probing.probe.verdicts = [Verdict.UNKNOWN]
    probing.rotate()
    first, second = probing.invocation.warnings
    assert "the previous ones are used" in first
    assert "the probe did not show" in second
