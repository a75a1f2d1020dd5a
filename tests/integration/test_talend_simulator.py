"""The Talend simulator over real HTTP: the behavior that other tests rely on and would not miss by themselves."""

import base64
import http.client
import json
from contextlib import closing, nullcontext

import pytest
import requests
from urllib3 import make_headers

from doubles import Clock
from talend_simulator import (
    TOKEN_PATH,
    Account,
    Amend,
    Answer,
    Broken,
    SameToken,
    TalendSimulator,
    fingerprint,
)
from talend_simulator.simulator import JournalEntry

DEADLINE_SECONDS = 30.0


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def talend(clock):
    with TalendSimulator([Account("known", "right")], clock=clock) as talend:
        yield talend


@pytest.fixture
def account(talend):
    return talend.add_account()


def call_token_endpoint(talend, account, **changes):
    """Send the documented request, or a changed one."""
    request = {
        "method": "POST",
        "json": {"audience": talend.url, "grant_type": "client_credentials"},
        "auth": (account.client_id, account.client_secret),
    }
    return requests.request(url=talend.token_url, timeout=DEADLINE_SECONDS, **(request | changes))


def get_token(talend, account):
    return call_token_endpoint(talend, account).json()["access_token"]


def call_api(talend, access_token, path="/account/users", scheme="Bearer "):
    headers = {"Authorization": f"{scheme}{access_token}"}
    return requests.get(talend.url + path, headers=headers, timeout=DEADLINE_SECONDS)


def statuses(talend, *tokens):
    """Return the API's status for each token."""
    return [call_api(talend, token).status_code for token in tokens]


def claims_of(access_token):
    payload = access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def send_token_request(talend, account):
    """Return the connection on which the answer arrives."""
    body = json.dumps({"audience": talend.url, "grant_type": "client_credentials"})
    headers = {"Content-Type": "application/json", **make_headers(basic_auth=account.credentials)}
    connection = http.client.HTTPConnection(talend.url.removeprefix("http://"), timeout=DEADLINE_SECONDS)
    connection.request("POST", TOKEN_PATH, body, headers)
    return connection


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (400, {"json": {"audience": "http://elsewhere/", "grant_type": "client_credentials"}}),
        (400, {"json": {"audience": "URL", "grant_type": "password"}}),
        (415, {"json": None, "data": {"audience": "URL", "grant_type": "client_credentials"}}),
        (405, {"method": "GET"}),
        (401, {"auth": ("known", "wrong")}),
        (401, {"auth": ("unknown", "right")}),
    ],
)
def test_request_that_is_not_as_documented_is_refused(talend, status, changes):
    for body in changes.values():
        if isinstance(body, dict):
            body["audience"] = body["audience"].replace("URL", talend.url)
    assert call_token_endpoint(talend, talend.accounts["known"], **changes).status_code == status


@pytest.mark.parametrize(("speed", "seconds", "clock_error"), [(7, 257, 0), (1, 1800, -7200), (1, 1800, 7200)])
def test_jwt_is_valid_for_exactly_as_long_as_it_says(talend, account, clock, speed, seconds, clock_error):
    """A wrong clock of the server shifts the claims and not the validity."""
    talend.settings.speed, talend.settings.clock_error_seconds = speed, clock_error
    members = call_token_endpoint(talend, account).json()
    token = members.pop("access_token")
    assert members == {"token_type": "Bearer", "expires_in": str(seconds)}
    claims, issued_at = claims_of(token), int(clock.now) + clock_error
    assert (claims["iat"], claims["exp"]) == (issued_at, issued_at + seconds)
    assert (claims["aud"], claims["azp"], claims["gty"]) == (talend.url, account.client_id, "client-credentials")
    clock.advance(seconds=seconds - 0.01)
    assert statuses(talend, token) == [200]
    talend.faults.add(SameToken())
    assert call_token_endpoint(talend, account).json() == members | {"access_token": token, "expires_in": "0"}
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


def test_api_answers_401_without_a_valid_token(talend, account):
    token = get_token(talend, account)
    with TalendSimulator([account]) as elsewhere:
        foreign = get_token(elsewhere, account)
    refused = [call_api(talend, token, scheme="Basic "), call_api(talend, "made-up"), call_api(talend, foreign)]
    assert [response.status_code for response in refused] == [401] * 3
    assert len({response.content for response in refused}) == 3, "the documented shapes take turns"


def test_journal_has_every_request_and_no_secret(talend, account):
    token = get_token(talend, account)
    call_api(talend, token, f"/account/users?access_token={token}&secret={account.client_secret}")
    call_api(talend, account.client_secret, "/orchestration/plans")
    call_token_endpoint(talend, Account(account.client_id))
    call_token_endpoint(talend, Account(account.client_secret, account.client_id))
    assert talend.journal == [
        JournalEntry("POST", TOKEN_PATH, 200, account.client_id, fingerprint(token)),
        JournalEntry("GET", "/account/users", 200, None, fingerprint(token)),
        JournalEntry("GET", "/orchestration/plans", 401, None, fingerprint(account.client_secret)),
        JournalEntry("POST", TOKEN_PATH, 401, account.client_id, None),
        JournalEntry("POST", TOKEN_PATH, 401, None, None),
    ]
    assert talend.token_calls() == [talend.journal[number] for number in (0, 3, 4)]
    assert talend.journal.entries(after=3) == talend.journal[3:]
    shown = repr([talend.journal, account, Answer(200, "marked"), Amend({"x": "marked"})])
    assert not any(secret in shown for secret in (token, account.client_secret, "marked"))


@pytest.mark.parametrize(
    ("how", "error"), [(Broken.RESET, ConnectionResetError), (Broken.SILENT, TimeoutError), (Broken.CLOSED, None)]
)
def test_kept_connection_can_be_broken(talend, account, how, error):
    with closing(send_token_request(talend, account)) as connection:
        assert connection.getresponse().read()
        assert talend.break_kept(how) == 1
        connection.sock.settimeout(0.2)
        if how is not Broken.CLOSED:
            connection.request("GET", TOKEN_PATH)
        with pytest.raises(error) if error else nullcontext():
            assert connection.sock.recv(1) == b""
    assert len(talend.token_calls()) == 1, "the request never arrived"
    with closing(send_token_request(talend, account)) as connection:
        assert connection.getresponse().status == 200
