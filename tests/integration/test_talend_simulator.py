"""The Talend simulator over real HTTP: what other tests rest on and would not notice by themselves."""

import base64
import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import pytest
import requests

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

START = 1_795_472_989.75
DEADLINE_SECONDS = 30.0
PROBE_PATH = "/account/service-accounts/permissions"


class Clock:
    now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def talend(clock, capfd):
    with TalendSimulator(clock=clock) as talend:
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
            "allow_redirects": False,
            "timeout": DEADLINE_SECONDS,
        }
        return self.session.request(url=self.url + TOKEN_PATH, **(request | changes))

    def get_token(self, account):
        response = self.call_token_endpoint(account)
        assert response.status_code == 200
        return response.json()["access_token"]

    def call_api(self, access_token, path=PROBE_PATH, method="GET", scheme="Bearer "):
        headers = {"Authorization": f"{scheme}{access_token}"}
        return self.session.request(method, self.url + path, headers=headers, timeout=DEADLINE_SECONDS)

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


def connect(talend):
    return socket.create_connection(("127.0.0.1", urlsplit(talend.url).port), DEADLINE_SECONDS)


def send_token_request(talend, account):
    body = json.dumps({"audience": talend.url, "grant_type": "client_credentials"})
    credentials = base64.b64encode(account.credentials.encode()).decode()
    connection = connect(talend)
    connection.sendall(
        f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return connection


# --- the token endpoint ---


def test_the_documented_call_returns_a_jwt_as_in_the_published_sample(client, talend, account):
    assert client.url + TOKEN_PATH == talend.token_url
    members = client.call_token_endpoint(account).json()
    token = members.pop("access_token")
    assert members == {"token_type": "Bearer", "expires_in": "1800"}
    assert client.get_token(account) != token
    claims = claims_of(token)
    assert (claims["sub"], claims["azp"]) == (f"{account.client_id}@clients", account.client_id)
    assert (claims["gty"], claims["aud"]) == ("client-credentials", client.url)
    assert (claims["iat"], claims["exp"]) == (int(START), int(START) + 1800)
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
    ids=["audience", "password", "no grant type", "list", "form", "GET", "secret", "id"],
)
def test_a_request_that_is_not_as_documented_is_refused(client, talend, status, changes):
    account = talend.add_account(Account("known", "right"))
    assert client.get_token(account)
    for body in changes.values():
        if isinstance(body, dict) and body["audience"] == "URL":
            body["audience"] = client.url
    assert client.call_token_endpoint(account, **changes).status_code == status


# --- validity, revocation ---


@pytest.mark.parametrize(
    ("speed", "seconds", "clock_error"), [(1, 1800, 0), (60, 30, 0), (7, 257, 0), (1, 1800, -7200), (1, 1800, 7200)]
)
def test_a_token_is_valid_for_exactly_as_long_as_it_says(client, talend, account, clock, speed, seconds, clock_error):
    """A wrong clock of the server shifts the claims and not the validity."""
    talend.settings.speed, talend.settings.clock_error_seconds = speed, clock_error
    members = client.call_token_endpoint(account).json()
    claims = claims_of(members["access_token"])
    assert members["expires_in"] == str(seconds)
    assert (claims["iat"], claims["exp"]) == (int(START) + clock_error, int(START) + clock_error + seconds)
    clock.now = START + seconds - 0.01
    assert client.statuses(members["access_token"]) == [200]
    clock.now = START + seconds
    # A new token does not revive it.
    assert client.statuses(members["access_token"], client.get_token(account)) == [401, 200]


def test_tokens_are_revoked_one_by_one_by_account_and_at_issue(client, talend, account):
    tokens = [client.get_token(account), client.get_token(account), client.get_token(talend.add_account())]
    assert talend.revoke(tokens[0])
    assert not talend.revoke(tokens[0])
    assert client.statuses(*tokens) == [401, 200, 200]
    assert talend.tokens.revoke_all(account.client_id) == 1
    tokens.append(client.get_token(account))
    assert client.statuses(*tokens) == [401, 401, 200, 200]
    talend.settings.revoke_on_issue = True
    tokens.append(client.get_token(account))
    assert client.statuses(*tokens) == [401, 401, 200, 401, 200]


# --- the API ---


def test_the_api_answers_401_without_a_valid_token(client, talend, account, clock):
    token = client.get_token(account)
    with TalendSimulator([account], clock=clock) as elsewhere:
        foreign = Client(client.session, elsewhere.url).get_token(account)
    wrong = [client.call_api(token, scheme=scheme) for scheme in ("Basic ", "")]
    wrong += [client.call_api(token) for token in ("made-up", "", foreign, "made-up")]
    assert [response.status_code for response in wrong] == [401] * 6
    # The documented shapes take turns.
    shapes = [response.content for response in wrong]
    assert len(set(shapes[:3])) == 3
    assert shapes[:3] == shapes[3:]
    talend.settings.unauthorized = "empty"
    assert {client.call_api("made-up").content for _ in range(3)} == {b""}


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        (PROBE_PATH, "TMC_SERVICE_ACCOUNT_MANAGEMENT"),
        ("/account/users?page=1", "TMC_USER_MANAGEMENT"),
        ("/orchestration/plans", "TMC_ENGINE_USE"),
        ("/processing/executables/tasks/executions", "TMC_ENGINE_USE"),
    ],
)
def test_a_valid_token_without_the_permission_gets_a_403(client, talend, path, permission):
    others = tuple(other for other in DOCUMENTED_PERMISSIONS if other != permission)
    for permissions, status in ((others, 403), ((permission,), 200)):
        token = client.get_token(talend.add_account(Account(permissions=permissions)))
        assert client.call_api(token, path).status_code == status


# --- the journal ---


def test_the_journal_has_every_request_and_no_secret(client, talend, account, clock):
    token = client.get_token(account)
    clock.now += 10
    client.call_api(token, f"/account/users?access_token={token}&secret={account.client_secret}")
    client.call_api(account.client_secret, "/orchestration/plans")
    client.call_token_endpoint(Account(account.client_id))
    client.call_token_endpoint(Account(account.client_secret, account.client_id))
    entries = [
        (entry.time - START, entry.method, entry.path, entry.status, entry.client_id, entry.token_sha256)
        for entry in talend.journal
    ]
    assert entries == [
        (0, "POST", TOKEN_PATH, 200, account.client_id, fingerprint(token)),
        (10, "GET", "/account/users", 200, account.client_id, fingerprint(token)),
        (10, "GET", "/orchestration/plans", 401, None, fingerprint(account.client_secret)),
        (10, "POST", TOKEN_PATH, 401, account.client_id, None),
        (10, "POST", TOKEN_PATH, 401, None, None),
    ]
    assert [entry.sequence for entry in talend.token_calls()] == [1, 4, 5]
    assert [entry.sequence for entry in talend.journal.entries(after=3)] == [4, 5]
    carriers = [account, Answer(200, "marked"), JsonAnswer({"x": "marked"}), Amend({"x": "marked"})]
    shown = repr(talend.journal.entries()) + repr(carriers)
    assert not any(secret in shown for secret in (token, account.client_secret, "marked"))


# --- faults: what is answered ---


def test_faults_apply_in_order_and_for_their_number_of_requests(client, talend, account):
    token = client.get_token(account)
    talend.faults.add(Answer(503), times=2)
    talend.faults.add(Answer(500), times=None)
    assert [client.call_token_endpoint(account).status_code for _ in range(4)] == [503, 503, 500, 500]
    assert client.statuses(token) == [200]
    talend.faults.clear()
    assert client.get_token(account)
    assert [entry.fault for entry in talend.token_calls()] == [None, *["answer"] * 4, None]


def test_a_working_token_can_come_in_an_amended_answer(client, talend, account):
    talend.faults.add(Amend({"token_type": "bearer", "scope": None}, without=("expires_in",)), times=2)
    members = client.call_token_endpoint(account).json()
    assert client.statuses(members.pop("access_token")) == [200]
    assert members == {"token_type": "bearer", "scope": None}
    assert "token_type" not in client.call_token_endpoint(Account("unknown")).json()


# --- faults: how it is sent ---


@pytest.mark.parametrize("fault", [Close(), Close(after_body_bytes=10), Reset(), Reset(after_body_bytes=10)])
def test_a_token_can_be_issued_and_lost_with_the_connection(talend, account, fault):
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
    assert (entry.status, entry.fault) == (200 if fault.after_body_bytes else None, fault.kind)
    assert talend.tokens.revoke(entry.token_sha256)


# --- the server ---


def test_a_connection_is_kept_for_the_next_request(talend):
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(talend.url).port, timeout=DEADLINE_SECONDS)
    connection.connect()
    first_socket = connection.sock
    for path in ("/account/users", "/nowhere", TOKEN_PATH):
        connection.request("GET", path)
        connection.getresponse().read()
    assert connection.sock is first_socket
    connection.close()


@pytest.mark.parametrize(
    ("how", "failure"), [(Broken.RESET, requests.ConnectionError), (Broken.SILENT, requests.ReadTimeout)]
)
def test_a_kept_connection_can_be_broken(client, talend, account, how, failure):
    client.get_token(account)
    assert talend.break_kept(how) == 1
    with pytest.raises(failure):
        client.call_token_endpoint(account, timeout=0.2)
    assert len(talend.token_calls()) == 1, "the request never arrived"
    client.get_token(account)


def test_a_kept_connection_can_be_closed(client, talend, account):
    with client.call_token_endpoint(account, stream=True) as response:
        ended = response.raw.connection.sock
        assert response.content
        assert talend.break_kept(Broken.CLOSED) == 1
        assert ended.recv(1) == b""
    client.get_token(account)


@pytest.mark.parametrize("is_stalled", [False, True])
def test_stopping_ends_connections_and_threads_and_frees_the_port(account, is_stalled):
    threads = threading.active_count()
    with TalendSimulator([account]) as talend:
        port = urlsplit(talend.url).port
        if is_stalled:
            talend.faults.add(Stall())
            connection = send_token_request(talend, account)
            eventually(lambda: talend.stalled == 1)
        else:
            connection = connect(talend)
            connection.sendall(b"GET /account/users HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
    with connection:
        assert connection.recv(1) == b""
    eventually(lambda: threading.active_count() == threads)
    with TalendSimulator(port=port) as again:
        assert again.url == talend.url
