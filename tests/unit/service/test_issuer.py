"""A pair that is refused gives way to the previous one, and a token that its API refuses is not published."""

import json

import pytest

from doubles import access_token, jwt
from doubles.system import CREDENTIALS, TOKEN, System
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsError,
    InvalidTokenResponse,
    RejectedTokenAgain,
    SecretStoreError,
    TokenRefused,
    TokenRejectedByProbe,
    TokenUnavailable,
)
from rotator.domain.event import Trigger
from rotator.domain.result import Outcome
from rotator.ports import Verdict

MINUTE = 61


def refused(status=401):
    return TokenRefused("url", f"answered {status}", "Check.", status=status)


def unavailable():
    return TokenUnavailable("url", "answered 503", "Wait.", status=503)


@pytest.fixture
def system():
    """A system whose published token is ten minutes old, and whose credentials have just been changed."""
    system = System()
    system.rotate()
    system.clock.advance(minutes=10)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    return system


def asked_with(system):
    """The secrets that the token endpoint was asked with since the change, in order."""
    return [credentials.client_secret for credentials, _, _ in system.endpoint.calls[1:]]


def notes(caught):
    return " ".join(getattr(caught.value, "__notes__", []))


def age(system):
    """Make the published token ten minutes older, while no time passes for the breaker."""
    members = json.loads(system.published.to_json().reveal())
    members |= {"issued_at": members["issued_at"] - 600}
    system.secrets.put(TOKEN, json.dumps(members), f"aged-{system.published_version}")


# --- the previous pair ---


@pytest.mark.parametrize("trigger", list(Trigger))
def test_a_pair_that_works_is_the_only_one_that_is_asked_with(system, trigger):
    system.clock.advance(minutes=16)
    result = system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
    assert (result.outcome, result.credentials_refused, result.warnings) == (Outcome.ROTATED, False, ())
    assert asked_with(system) == ["new"]


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_pair_gives_way_to_the_previous_one_with_a_warning(system, trigger, status):
    system.clock.advance(minutes=16)
    system.endpoint.answers = [refused(status)]
    result = system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
    assert (result.outcome, result.credentials_refused) == (Outcome.ROTATED, True)
    assert asked_with(system) == ["new", "s3cret"]
    (warning,) = result.warnings
    assert f"the current pair was refused ({status}); the previous pair was used" in warning
    assert "Check." in warning
    assert system.published.access_token == access_token(3)


def test_a_warning_about_the_previous_pairs_token_travels_too(system):
    system.endpoint.answers = [refused(), {"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    first, second = system.rotate().warnings
    assert "previous pair was used" in first
    assert "audience" in second


@pytest.mark.parametrize("value", ["no colon", "", None])
def test_a_current_pair_that_cannot_be_read_gives_way_too(system, value):
    system.secrets.put(CREDENTIALS, value, "credentials-3")
    result = system.rotate()
    assert asked_with(system) == ["new"]
    assert result.credentials_refused
    assert "the current pair cannot be read; the previous pair was used" in result.warnings[0]
    assert CREDENTIALS in result.warnings[0]


def test_each_pair_is_sent_to_its_own_api(system):
    us = "https://api.us.cloud.talend.com"
    system.secrets.put(CREDENTIALS, '{"id": "abc", "secret": "of-us", "environment": "us"}', "credentials-3")
    system.endpoint.answers = [refused()]
    result = system.rotate()
    assert [api_url for _, api_url, _ in system.endpoint.calls[1:]] == [us, system.settings.api_url]
    assert system.published.api_url == system.settings.api_url
    assert f"for {system.settings.api_url}" in result.warnings[0]


def test_the_time_of_both_token_calls_is_reported(system):
    ask = system.endpoint.request_token

    def slowly(*request):
        system.clock.advance(seconds=2)
        return ask(*request)

    system.endpoint.request_token = slowly
    system.endpoint.answers = [refused()]
    assert system.rotate().token_endpoint_seconds == 4


@pytest.mark.parametrize("error", [unavailable(), InvalidTokenResponse("url", "sent no token", "Report it.")])
def test_a_failure_that_says_nothing_of_the_pair_does_not_bring_the_previous_one_up(system, error):
    system.endpoint.answers = [error]
    with pytest.raises(type(error)) as caught:
        system.rotate()
    assert asked_with(system) == ["new"]
    assert not caught.value.credentials_refused


def test_if_both_pairs_are_refused_the_first_refusal_is_raised_with_a_note_of_the_second(system):
    system.endpoint.answers = [refused(401), refused(403)]
    with pytest.raises(TokenRefused, match="answered 401") as caught:
        system.rotate()
    assert "answered 403" in notes(caught)
    assert caught.value.credentials_refused
    assert system.published.access_token == access_token(1)


def test_a_refused_pair_without_a_previous_one_is_the_error(system):
    system.secrets.create(CREDENTIALS)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    system.endpoint.answers = [refused()]
    with pytest.raises(TokenRefused) as caught:
        system.rotate()
    assert caught.value.credentials_refused
    assert notes(caught) == ""


def test_a_previous_pair_that_cannot_be_read_is_noted(system):
    system.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    system.secrets.put(CREDENTIALS, "abc:newest", "credentials-3")
    system.endpoint.answers = [refused()]
    with pytest.raises(TokenRefused) as caught:
        system.rotate()
    assert "no colon" in notes(caught)


def test_if_neither_pair_can_be_read_the_first_problem_is_raised(system):
    system.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    system.secrets.put(CREDENTIALS, "", "credentials-3")
    with pytest.raises(CredentialsError, match="is empty") as caught:
        system.rotate()
    assert "no colon" in notes(caught)
    assert asked_with(system) == []


@pytest.mark.parametrize("trigger", [Trigger.MANUAL, Trigger.REJECTED])
def test_a_previous_pair_that_may_do_better_next_time_is_tried_again_without_the_current_one(system, trigger):
    system.endpoint.answers = [refused(), unavailable()]
    with pytest.raises(TokenUnavailable) as caught:
        system.renew()
    assert caught.value.credentials_refused
    assert "answered 401" in notes(caught)
    result = system.rotate(trigger) if trigger is Trigger.MANUAL else system.renew()
    assert result.outcome is Outcome.ROTATED
    # A person always tries the current pair; anybody else leaves it alone for a minute.
    assert asked_with(system)[2:] == (["new"] if trigger is Trigger.MANUAL else ["s3cret"])


def test_a_secret_store_that_hides_the_previous_pair_is_the_error_with_a_note(system):
    read = system.secrets.read

    def hide(secret_id, stage):
        if stage == "AWSPREVIOUS":
            raise SecretStoreError("read", secret_id, "InternalServiceError", "Wait.")
        return read(secret_id, stage)

    system.secrets.read = hide
    system.endpoint.answers = [refused()]
    with pytest.raises(SecretStoreError) as caught:
        system.rotate()
    assert "answered 401" in notes(caught)


# --- the breaker ---


def test_a_refused_pair_is_left_alone_for_a_minute_while_the_previous_one_works(system):
    system.endpoint.answers = [refused()]
    system.renew()
    for _ in range(3):
        age(system)
        result = system.renew()
        assert (result.outcome, result.credentials_refused) == (Outcome.ROTATED, True)
        assert "was refused a moment ago; the previous pair was used" in result.warnings[0]
        system.clock.advance(seconds=15)
    assert asked_with(system) == ["new", "s3cret", "s3cret", "s3cret", "s3cret"]
    system.clock.advance(seconds=MINUTE - 45)
    age(system)
    assert system.renew().credentials_refused is False
    assert asked_with(system)[5:] == ["new"]


@pytest.mark.parametrize("trigger", [Trigger.REJECTED, Trigger.WATCHDOG])
def test_two_refused_pairs_are_two_token_calls_a_minute_however_many_ask(system, trigger):
    system.clock.advance(minutes=16)
    for _ in range(2):
        system.endpoint.answers = [refused(), refused()]
        with pytest.raises(TokenRefused):
            system.renew()
        for _ in range(100):
            with pytest.raises(CircuitOpen, match=system.settings.api_url):
                system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)
        system.clock.advance(seconds=MINUTE)
    assert asked_with(system) == ["new", "s3cret"] * 2


def test_a_manual_rotation_that_succeeds_forgets_that_both_pairs_were_refused(system):
    system.endpoint.answers = [refused(), refused()]
    with pytest.raises(TokenRefused):
        system.renew()
    assert system.rotate().credentials_refused is False
    age(system)
    assert system.renew().credentials_refused is False
    assert asked_with(system) == ["new", "s3cret", "new", "new"]


def test_only_a_manual_rotation_has_anything_to_forget(system):
    """The schedule passes the breakers and costs them no write."""
    closed = []
    system.breaker.close = closed.append
    system.clock.advance(minutes=1)
    system.rotate(Trigger.SCHEDULE)
    assert closed == []
    system.rotate()
    assert closed == ["default/credentials-2/pair", "default/credentials-2"]


def test_the_breakers_error_names_the_api_of_the_current_pair(system):
    system.secrets.put(CREDENTIALS, '{"id": "abc", "secret": "of-us", "environment": "us"}', "credentials-3")
    system.endpoint.answers = [refused(), refused()]
    with pytest.raises(TokenRefused):
        system.renew()
    with pytest.raises(CircuitOpen, match=r"api\.us\.cloud"):
        system.renew()


def test_a_token_that_comes_again_does_not_bring_the_previous_pair_up(system):
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


def test_no_token_is_tried_where_no_path_is_configured(system):
    system.rotate()
    assert system.probe.calls == []


def test_a_new_token_is_tried_before_it_is_staged_with_time_left_to_publish_it(probing):
    probing.secrets.before["stage"] = lambda: probing.probe.calls.append("staged")
    assert probing.rotate().outcome is Outcome.ROTATED
    _, (document, path, deadline), staged = probing.probe.calls
    assert (document.access_token, path, staged) == (access_token(2), "/account/users", "staged")
    assert deadline == probing.clock() + 50


def test_a_token_that_its_api_refuses_is_not_even_staged(probing):
    probing.probe.verdicts = [Verdict.REFUSED]
    with pytest.raises(TokenRejectedByProbe, match=r"account 'default'.*/account/users answered 401") as caught:
        probing.rotate()
    assert caught.value.url == "https://api.eu.cloud.talend.com/security/oauth/token"
    assert caught.value.status == 200
    assert probing.secrets.versions(TOKEN) == 1
    assert probing.published.access_token == access_token(1)
    assert access_token(2) not in str(caught.value)


def test_a_probe_that_tells_nothing_lets_the_token_pass_with_a_warning(probing):
    probing.probe.verdicts = [Verdict.UNKNOWN]
    result = probing.rotate()
    assert result.outcome is Outcome.ROTATED
    assert result.warnings == (
        "the probe tells nothing: https://api.eu.cloud.talend.com/account/users answered as scripted",
    )


def test_a_token_that_is_accepted_passes_without_a_warning(probing):
    assert probing.rotate().warnings == ()


def test_a_storm_over_a_token_that_its_api_refuses_is_one_token_call(probing):
    probing.probe.verdicts = [Verdict.REFUSED]
    with pytest.raises(TokenRejectedByProbe):
        probing.renew()
    for _ in range(100):
        with pytest.raises(CircuitOpen):
            probing.renew()
    assert len(probing.endpoint.calls) == 2
    assert probing.rotate().outcome is Outcome.ROTATED


def test_a_token_of_the_previous_pair_is_tried_like_any_other(probing):
    probing.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    probing.endpoint.answers = [refused()]
    probing.probe.verdicts = [Verdict.UNKNOWN]
    first, second = probing.rotate().warnings
    assert "previous pair was used" in first
    assert "probe tells nothing" in second
