"""The Talend simulator over real HTTP: the behavior that other tests rely on and would not miss by themselves."""

import base64
import http.client
import json
import threading

import pytest
import requests
from urllib3 import make_headers

from doubles import Clock
from local_aws.waiting import eventually
from talend_simulator import (
    DOCUMENTED_PERMISSIONS,
    TOKEN_PATH,
    Account,
    Amend,
    Answer,
    Broken,
    Close,
    JsonAnswer,
    Reset,
    Stall,
    TalendSimulator,
    fingerprint,
)

DEADLINE_SECONDS = 30.0


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def talend(clock, capfd):
    with TalendSimulator([Account("known", "right")], clock=clock) as talend:
        yield talend
    assert capfd.readouterr() == ("", ""), "a defect of the simulator is reported on stderr"


@pytest.fixture
def account(talend):
    return talend.add_account()


class Client:
    """Sends the documented requests."""

    def __init__(self, session, url):
        self.session = session
        self.url = url

    def call_token_endpoint(self, account, **changes):
        request = {
            "method": "POST",
            "json": {"audience": self.url, "grant_type": "client_credentials"},
            "auth": (account.client_id.encode(), account.client_secret.encode()),
            "timeout": DEADLINE_SECONDS,
        }
        return self.session.request(url=self.url + TOKEN_PATH, **(request | changes))

    def get_token(self, account):
        response = self.call_token_endpoint(account)
        assert response.status_code == 200
        return response.json()["access_token"]

    def call_api(self, access_token, path="/account/users", scheme="Bearer "):
        headers = {"Authorization": f"{scheme}{access_token}"}
        return self.session.get(self.url + path, headers=headers, timeout=DEADLINE_SECONDS)

    def statuses(self, *tokens):
        """Return the API's status for each token."""
        return [self.call_api(token).status_code for token in tokens]


@pytest.fixture
def client(talend):
    with requests.Session() as session:
        session.trust_env = False
        yield Client(session, talend.url)


def claims_of(access_token):
    payload = access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def send_token_request(talend, account):
    """Return the socket on which the answer arrives."""
    body = json.dumps({"audience": talend.url, "grant_type": "client_credentials"})
    headers = {"Content-Type": "application/json", **make_headers(basic_auth=account.credentials)}
    connection = http.client.HTTPConnection(talend.url.removeprefix("http://"), timeout=DEADLINE_SECONDS)
    connection.request("POST", TOKEN_PATH, body, headers)
    return connection.sock


# --- tokens ---


def test_documented_call_returns_a_jwt_as_in_the_published_sample(client, account):
    members = client.call_token_endpoint(account).json()
    claims = claims_of(members.pop("access_token"))
    assert members == {"token_type": "Bearer", "expires_in": "1800"}
    assert (claims["sub"], claims["azp"]) == (f"{account.client_id}@clients", account.client_id)
    assert (claims["gty"], claims["aud"]) == ("client-credentials", client.url)
    assert claims["permissions"] == list(DOCUMENTED_PERMISSIONS)


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (400, {"json": {"audience": "http://elsewhere/", "grant_type": "client_credentials"}}),
        (400, {"json": {"audience": "URL", "grant_type": "password"}}),
        (400, {"json": {"audience": "URL"}}),
        (400, {"json": ["URL"]}),
        (415, {"json": None, "data": {"audience": "URL", "grant_type": "client_credentials"}}),
        (405, {"method": "GET"}),
        (401, {"auth": ("known", "wrong")}),
        (401, {"auth": ("unknown", "right")}),
    ],
)
def test_request_that_is_not_as_documented_is_refused(client, talend, status, changes):
    for body in changes.values():
        if isinstance(body, dict) and body["audience"] == "URL":
            body["audience"] = client.url
    assert client.call_token_endpoint(talend.accounts["known"], **changes).status_code == status


@pytest.mark.parametrize(("speed", "seconds", "clock_error"), [(7, 257, 0), (1, 1800, -7200), (1, 1800, 7200)])
def test_token_is_valid_for_exactly_as_long_as_it_says(client, talend, account, clock, speed, seconds, clock_error):
    """A wrong clock of the server shifts the claims and not the validity."""
    talend.settings.speed, talend.settings.clock_error_seconds = speed, clock_error
    members = client.call_token_endpoint(account).json()
    claims, issued_at = claims_of(members["access_token"]), int(clock.now) + clock_error
    assert members["expires_in"] == str(seconds)
    assert (claims["iat"], claims["exp"]) == (issued_at, issued_at + seconds)
    clock.advance(seconds=seconds - 0.01)
    assert client.statuses(members["access_token"]) == [200]
    clock.advance(seconds=0.01)
    # A new token does not revive it.
    assert client.statuses(members["access_token"], client.get_token(account)) == [401, 200]


def test_tokens_are_revoked_one_by_one_by_account_and_at_issue(client, talend, account):
    tokens = [client.get_token(account), client.get_token(account), client.get_token(talend.add_account())]
    assert [talend.revoke(tokens[0]) for _ in range(2)] == [True, False]
    assert client.statuses(*tokens) == [401, 200, 200]
    talend.tokens.revoke_all(account.client_id)
    tokens.append(client.get_token(account))
    assert client.statuses(*tokens) == [401, 401, 200, 200]
    talend.settings.revoke_on_issue = True
    tokens.append(client.get_token(account))
    assert client.statuses(*tokens) == [401, 401, 200, 401, 200]


# --- the API ---


def test_api_answers_401_without_a_valid_token(client, account):
    token = client.get_token(account)
    with TalendSimulator([account]) as elsewhere:
        foreign = Client(client.session, elsewhere.url).get_token(account)
    wrong = [client.call_api(token, scheme=scheme) for scheme in ("Basic ", "")]
    wrong += [client.call_api(token) for token in ("made-up", "", foreign, "made-up")]
    assert [response.status_code for response in wrong] == [401] * 6
    # The documented shapes take turns.
    shapes = [response.content for response in wrong]
    assert len(set(shapes[:3])) == 3
    assert shapes[:3] == shapes[3:]


@pytest.mark.parametrize(
    ("path", "permission"), [("/account/users?page=1", "TMC_USER_MANAGEMENT"), ("/orchestration/x", "TMC_ENGINE_USE")]
)
def test_valid_token_without_the_permission_gets_a_403(client, talend, path, permission):
    others = tuple(other for other in DOCUMENTED_PERMISSIONS if other != permission)
    for permissions, status in ((others, 403), ((permission,), 200)):
        token = client.get_token(talend.add_account(Account(permissions=permissions)))
        assert client.call_api(token, path).status_code == status


def test_journal_has_every_request_and_no_secret(client, talend, account):
    token = client.get_token(account)
    client.call_api(token, f"/account/users?access_token={token}&secret={account.client_secret}")
    client.call_api(account.client_secret, "/orchestration/plans")
    client.call_token_endpoint(Account(account.client_id))
    client.call_token_endpoint(Account(account.client_secret, account.client_id))
    assert [
        (entry.method, entry.path, entry.status, entry.client_id, entry.token_sha256) for entry in talend.journal
    ] == [
        ("POST", TOKEN_PATH, 200, account.client_id, fingerprint(token)),
        ("GET", "/account/users", 200, None, fingerprint(token)),
        ("GET", "/orchestration/plans", 401, None, fingerprint(account.client_secret)),
        ("POST", TOKEN_PATH, 401, account.client_id, None),
        ("POST", TOKEN_PATH, 401, None, None),
    ]
    assert talend.token_calls() == [talend.journal[number] for number in (0, 3, 4)]
    assert talend.journal.entries(after=3) == talend.journal[3:]
    shown = repr([talend.journal, account, Answer(200, "marked"), JsonAnswer({"x": "marked"}), Amend({"x": "marked"})])
    assert not any(secret in shown for secret in (token, account.client_secret, "marked"))


# --- faults ---


def test_valid_token_can_come_in_an_amended_answer(client, talend, account):
    talend.faults.add(Amend({"token_type": "bearer", "scope": None}, without=("expires_in",)), times=2)
    members = client.call_token_endpoint(account).json()
    assert client.statuses(members.pop("access_token")) == [200]
    assert members == {"token_type": "bearer", "scope": None}
    assert "token_type" not in client.call_token_endpoint(Account("unknown")).json()


@pytest.mark.parametrize("fault", [Close(), Close(after_body_bytes=10), Reset(), Reset(after_body_bytes=10)])
def test_token_can_be_issued_and_lost_with_the_connection(talend, account, fault):
    """An ordinary end and a reset differ on the wire."""
    talend.faults.add(fault)
    received = b""
    with send_token_request(talend, account) as connection:
        while fault.after_body_bytes and not received.endswith(b'\r\n\r\n{"access_t'):
            received += connection.recv(65_536)
        if isinstance(fault, Reset):
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        else:
            assert connection.recv(1) == b""
    (entry,) = talend.token_calls()
    assert entry.status == (200 if fault.after_body_bytes else None)
    assert talend.tokens.revoke(entry.token_sha256)


@pytest.mark.parametrize(
    ("how", "failure"), [(Broken.RESET, requests.ConnectionError), (Broken.SILENT, requests.ReadTimeout)]
)
def test_kept_connection_can_be_broken(client, talend, account, how, failure):
    client.get_token(account)
    assert talend.break_kept(how) == 1
    with pytest.raises(failure):
        client.call_token_endpoint(account, timeout=0.2)
    assert len(talend.token_calls()) == 1, "the request never arrived"
    client.get_token(account)


def test_kept_connection_can_be_closed(client, talend, account):
    with client.call_token_endpoint(account, stream=True) as response:
        ended = response.raw.connection.sock
        assert response.content
        assert talend.break_kept(Broken.CLOSED) == 1
        assert ended.recv(1) == b""
    client.get_token(account)


def test_stopping_ends_connections_and_threads(account):
    threads = threading.active_count()
    with TalendSimulator([account]) as talend:
        connections = [send_token_request(talend, account)]
        assert connections[0].recv(65_536).startswith(b"HTTP/1.1 200")
        talend.faults.add(Stall())
        connections.append(send_token_request(talend, account))
        eventually(lambda: talend.stalled == 1)
    for connection in connections:
        with connection:
            assert connection.recv(65_536) == b""
    assert threading.active_count() == threads
    with pytest.raises(requests.ConnectionError):
        requests.get(talend.url, timeout=DEADLINE_SECONDS)
