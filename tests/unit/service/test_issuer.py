"""Refused credentials are replaced with the previous ones, and a token that its API rejects is not published."""

import pytest

from doubles.system import CREDENTIALS, TOKEN
from doubles.token_endpoint import access_token
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsError,
    CredentialsRefused,
    InvalidTokenResponse,
    RejectedTokenAgain,
    TokenRejectedByProbe,
    TokenUnavailable,
)
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from rotator.ports import Verdict
from unit.service.conftest import act, answer, refused, unavailable, with_token


@pytest.fixture
def changed(system):
    """The credentials have just been changed from abc:s3cret to abc:new."""
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    return system


def asked_with(system):
    """Return the secrets that were sent to the token endpoint since the change, in order."""
    return [credentials.client_secret for credentials, _ in system.endpoint.calls[1:]]


def warnings(system):
    return " ".join(system.invocation.warnings)


# --- the previous credentials ---


@pytest.mark.parametrize("trigger", list(Trigger))
def test_current_credentials_that_work_are_the_only_ones_sent(changed, trigger):
    changed.clock.advance(minutes=16)
    assert act(changed, trigger).outcome is Outcome.ROTATED
    assert (changed.invocation.credentials_refused, changed.invocation.warnings) == (False, [])
    assert asked_with(changed) == ["new"]
    # Without a path for it, no token is probed.
    assert changed.probe.calls == []


@pytest.mark.parametrize("trigger", list(Trigger))
@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_credentials_give_way_to_the_previous_ones(changed, trigger, status):
    changed.clock.advance(minutes=16)
    changed.endpoint.answers = [refused(status)]
    assert act(changed, trigger).outcome is Outcome.ROTATED
    assert changed.invocation.credentials_refused
    assert asked_with(changed) == ["new", "s3cret"]
    (warning,) = changed.invocation.warnings
    assert "the current credentials are unusable, so the previous ones are used if they work" in warning
    assert f"answered {status} for the credentials in secret {CREDENTIALS!r}. Check." in warning
    assert changed.published.access_token == access_token(3)


def test_each_version_is_sent_to_its_own_api(changed):
    us = "https://api.us.cloud.talend.com"
    changed.secrets.put(CREDENTIALS, f'{{"id": "abc", "secret": "of-us", "api_url": "{us}"}}', "credentials-3")
    changed.endpoint.answers = [refused()]
    changed.rotate()
    assert [credentials.api_url for credentials, _ in changed.endpoint.calls[1:]] == [us, changed.settings.api_url]
    assert changed.published.api_url == changed.settings.api_url


@pytest.mark.parametrize(
    "error", [unavailable(), InvalidTokenResponse("url", CREDENTIALS, "sent no token", "Report it.")]
)
def test_other_failures_do_not_bring_up_the_previous_credentials(changed, error):
    changed.endpoint.answers = [error]
    with pytest.raises(type(error)):
        changed.rotate()
    assert asked_with(changed) == ["new"]
    assert changed.invocation.credentials_refused is None


def test_if_both_are_refused_the_first_refusal_is_raised(changed):
    changed.endpoint.answers = [refused(401), refused(403)]
    with pytest.raises(CredentialsRefused, match="answered 401"):
        changed.rotate()
    assert "the previous credentials are unusable too: token endpoint url answered 403" in warnings(changed)
    assert changed.invocation.credentials_refused


def test_if_neither_can_be_read_the_first_problem_is_raised(changed):
    changed.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    changed.secrets.put(CREDENTIALS, "", "credentials-3")
    with pytest.raises(CredentialsError, match="is empty"):
        changed.rotate()
    assert "no colon" in warnings(changed)
    assert asked_with(changed) == []


def test_a_stale_read_does_not_try_the_same_credentials_twice(changed):
    """The stale read returns the previous version as the current one."""
    changed.secrets.stale[CREDENTIALS] = changed.secrets.read(CREDENTIALS, "AWSPREVIOUS")
    changed.endpoint.answers = [refused()]
    with pytest.raises(CredentialsRefused):
        changed.rotate()
    assert asked_with(changed) == ["s3cret"]


# --- the breaker ---


def test_a_temporary_failure_of_previous_credentials_opens_no_breaker(changed):
    changed.endpoint.answers = [refused(), unavailable()]
    with pytest.raises(TokenUnavailable):
        changed.renew()
    assert changed.renew().outcome is Outcome.ROTATED


def test_changed_credentials_are_tried_at_once(changed):
    changed.endpoint.answers = [refused(), refused()]
    with pytest.raises(CredentialsRefused):
        changed.renew()
    with pytest.raises(CircuitOpen):
        changed.renew()
    changed.secrets.put(CREDENTIALS, "abc:newest", "credentials-3")
    assert changed.renew().outcome is Outcome.ROTATED
    assert asked_with(changed)[2:] == ["newest"]


@pytest.mark.parametrize(("trigger", "closed"), [(Trigger.MANUAL, ["default/credentials-1"]), (Trigger.SCHEDULE, [])])
def test_forced_rotation_and_schedule_pass_the_breaker(system, trigger, closed):
    """Only a forced rotation closes it. The schedule does not write to its table."""
    system.endpoint.answers = [refused()]
    with pytest.raises(CredentialsRefused):
        system.renew()
    seen = []
    system.breaker.close = seen.append
    assert system.rotate(trigger).outcome is Outcome.ROTATED
    assert seen == closed


# --- the rejected token again ---


def test_the_rejected_token_again_is_an_error_and_opens_the_breaker(system):
    system.endpoint.answers = [answer(system.published.access_token)]
    match = rf"returned the rejected token again .*{CREDENTIALS}.*\. If .*Talend\."
    with pytest.raises(RejectedTokenAgain, match=match) as caught:
        system.renew()
    assert caught.value.status == 200
    with pytest.raises(CircuitOpen):
        system.renew()
    assert (len(system.endpoint.calls), system.secrets.versions(TOKEN)) == (2, 1)


def test_the_rejected_token_again_for_previous_credentials_is_an_error(changed):
    changed.endpoint.answers = [refused(), answer(changed.published.access_token)]
    with pytest.raises(RejectedTokenAgain):
        changed.renew()


# --- the probe ---


@pytest.fixture
def probing():
    """A system that probes each new token."""
    return with_token(probe_path="/account/users")


def test_a_new_token_is_tried_before_it_is_staged(probing):
    probing.secrets.before["stage"] = lambda: probing.probe.calls.append("staged")
    assert probing.rotate().outcome is Outcome.ROTATED
    assert probing.invocation.warnings == []
    _, (document, path, deadline), staged = probing.probe.calls
    assert (document.access_token, path, staged) == (access_token(2), "/account/users", "staged")
    assert deadline == probing.clock() + 50


def test_a_token_that_its_api_rejects_is_not_even_staged(probing):
    probing.probe.verdicts = [Verdict.REJECTED]
    with pytest.raises(
        TokenRejectedByProbe, match=f"/account/users answered 401 for the credentials in secret {CREDENTIALS!r}"
    ) as caught:
        probing.rotate()
    assert (caught.value.url, caught.value.status) == ("https://api.eu.cloud.talend.com/security/oauth/token", 200)
    assert probing.secrets.versions(TOKEN) == 1
    assert access_token(2) not in str(caught.value)


def test_an_unknown_probe_result_passes_with_a_warning(probing):
    probing.probe.verdicts = [Verdict.UNKNOWN]
    assert probing.rotate().outcome is Outcome.ROTATED
    assert probing.invocation.warnings == [
        "the probe did not show whether the token is valid: "
        "https://api.eu.cloud.talend.com/account/users answered as scripted",
    ]
