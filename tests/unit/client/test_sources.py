"""The environment says where the token is."""

import traceback

import pytest

from talend_token import NotConfigured, RenewalFailed, TokenClient
from talend_token._sources import source_from_environment


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for name in ("TALEND_ACCESS_TOKEN", "TALEND_API_URL", "TALEND_TOKEN_SECRET", "TALEND_RENEW_FUNCTION"):
        monkeypatch.delenv(name, raising=False)


def test_a_secret_and_a_function_are_named(monkeypatch):
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "talend-token/default/token")
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew")
    source = source_from_environment()
    assert str(source) == "token secret 'talend-token/default/token'"


def test_an_empty_environment_is_reported_with_what_to_set():
    with pytest.raises(NotConfigured, match=r"Set TALEND_TOKEN_SECRET .* TALEND_RENEW_FUNCTION .* TALEND_ACCESS_TOKEN"):
        TokenClient()


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "hunter2")
    monkeypatch.setenv("TALEND_API_URL", "https://api.us.cloud.talend.com/")
    # What wins where both are set.
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "talend-token/default/token")
    return TokenClient()


def test_a_fixed_token_needs_no_aws(fixed):
    token = fixed.get_token(min_remaining=86_400)
    assert (token.access_token, token.api_url) == ("hunter2", "https://api.us.cloud.talend.com")
    assert token.version_id == ""
    assert repr(fixed) == "TokenClient(environment variable TALEND_ACCESS_TOKEN)"


def test_a_rejected_fixed_token_has_no_replacement(fixed):
    with pytest.raises(RenewalFailed, match="rejected the token in TALEND_ACCESS_TOKEN: set another one") as caught:
        fixed.renew(fixed.get_token())
    assert (caught.value.outcome, caught.value.retry_after_seconds) == ("not_configured", 0)


def test_a_fixed_tokens_url_may_have_a_path(monkeypatch):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "hunter2")
    monkeypatch.setenv("TALEND_API_URL", "https://gateway.example.com/TALEND_X/")
    assert TokenClient().get_token().api_url == "https://gateway.example.com/TALEND_X"


@pytest.fixture(params=[None, "", "api.eu.cloud.talend.com", "https://", "ftp://api.eu.cloud.talend.com"])
def no_url(request, monkeypatch):
    """A fixed token, and nothing that says which API it is for."""
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "hunter2")
    if request.param is not None:
        monkeypatch.setenv("TALEND_API_URL", request.param)


@pytest.mark.usefixtures("no_url")
def test_a_fixed_token_needs_the_url_that_it_is_for():
    with pytest.raises(
        NotConfigured, match=r"set TALEND_API_URL too, .* such as https://api\.eu\.cloud\.talend\.com\.$"
    ):
        TokenClient()


@pytest.mark.true_source
@pytest.mark.usefixtures("no_url")
def test_a_fixed_token_without_its_url_is_not_shown():
    with pytest.raises(NotConfigured) as caught:
        TokenClient()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in shown.stack if "functions/talend_token" in frame.filename]
    assert ours
    assert "hunter2" not in repr(ours)


@pytest.mark.parametrize("token", ["hunter2\n", "hun ter2", "hünter2"])
def test_a_fixed_token_that_fits_no_header_is_refused_unseen(monkeypatch, token):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", token)
    monkeypatch.setenv("TALEND_API_URL", "https://api.us.cloud.talend.com")
    with pytest.raises(NotConfigured, match="characters that a header cannot hold") as caught:
        TokenClient()
    assert "ter2" not in str(caught.value)
