"""The Talend simulator refuses, ends and revokes, which a test that rests on it might not miss."""

import base64
import json

import pytest
import requests

from doubles import Clock
from talend_simulator import Account, SameToken, TalendSimulator


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def account():
    return Account()


@pytest.fixture
def talend(clock, account):
    with TalendSimulator([account], clock=clock) as talend:
        yield talend


def request_token(talend, account):
    request, pair = {"audience": talend.url, "grant_type": "client_credentials"}, account.credentials.split(":")
    return requests.post(talend.token_url, json=request, auth=tuple(pair), timeout=30).json()


def get_token(talend, account):
    return request_token(talend, account)["access_token"]


def statuses(talend, *tokens):
    """Return the API's status for each token."""
    url, headers = f"{talend.url}/account/users", [{"Authorization": f"Bearer {token}"} for token in tokens]
    return [requests.get(url, headers=each, timeout=30).status_code for each in headers]


def claims_of(access_token):
    payload = access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize(
    ("status", "audience", "grant_type", "pair"),
    [
        (200, "{url}", "client_credentials", "{id}:{secret}"),
        (400, "http://elsewhere", "client_credentials", "{id}:{secret}"),
        (400, "{url}", "password", "{id}:{secret}"),
        (401, "{url}", "client_credentials", "{id}:wrong"),
        (401, "{url}", "client_credentials", "unknown:{secret}"),
    ],
)
def test_a_request_that_is_not_as_documented_is_refused(talend, account, status, audience, grant_type, pair):
    body = {"audience": audience.format(url=talend.url), "grant_type": grant_type}
    auth = tuple(pair.format(id=account.client_id, secret=account.client_secret).split(":"))
    assert requests.post(talend.token_url, json=body, auth=auth, timeout=30).status_code == status


@pytest.mark.parametrize(("speed", "seconds", "clock_error"), [(7, 257, 0), (1, 1800, -7200), (1, 1800, 7200)])
def test_jwt_is_valid_for_exactly_as_long_as_it_says(talend, account, clock, speed, seconds, clock_error):
    """A wrong clock of the server shifts the claims and not the validity."""
    talend.settings.speed, talend.settings.clock_error_seconds = speed, clock_error
    members = request_token(talend, account)
    token = members["access_token"]
    assert members["expires_in"] == str(seconds)
    claims, issued_at = claims_of(token), int(clock.now) + clock_error
    assert (claims["iat"], claims["exp"], claims["aud"]) == (issued_at, issued_at + seconds, talend.url)
    clock.advance(seconds=seconds - 0.01)
    assert statuses(talend, token) == [200]
    talend.faults.add(SameToken())
    assert request_token(talend, account) == members | {"expires_in": "0"}
    clock.advance(seconds=0.01)
    # A new token does not revive it.
    assert statuses(talend, token, get_token(talend, account)) == [401, 200]


def test_tokens_are_revoked_one_by_one_by_account_and_at_issue(talend, account):
    tokens = [get_token(talend, account), get_token(talend, account), get_token(talend, talend.add_account())]
    talend.revoke(tokens[0])
    assert statuses(talend, *tokens) == [401, 200, 200]
    talend.tokens.revoke_all(account.client_id)
    tokens.append(get_token(talend, account))
    assert statuses(talend, *tokens) == [401, 401, 200, 200]
    talend.settings.revoke_on_issue = True
    tokens.append(get_token(talend, account))
    assert statuses(talend, *tokens) == [401, 401, 200, 401, 200]
