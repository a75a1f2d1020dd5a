"""The Talend simulator over real HTTP: what other tests rest on."""

import base64
import http.client
import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
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
    Drip,
    HtmlAnswer,
    Huge,
    JsonAnswer,
    Redirect,
    Reset,
    SameToken,
    Stall,
    TalendSimulator,
    Truncate,
    fingerprint,
    many_permissions,
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
            "json": {"audience": self.url, "grant_type": "client_credentials"},
            "auth": (account.client_id.encode(), account.client_secret.encode()),
            "allow_redirects": False,
            "timeout": DEADLINE_SECONDS,
        }
        return self.session.post(self.url + TOKEN_PATH, **(request | changes))

    def get_token(self, account):
        response = self.call_token_endpoint(account)
        assert response.status_code == 200
        return response.json()["access_token"]

    def call_api(self, access_token, path=PROBE_PATH):
        headers = {"Authorization": f"Bearer {access_token}"}
        return self.session.get(self.url + path, headers=headers, timeout=DEADLINE_SECONDS)

    def statuses(self, *tokens):
        """Return what the API answers to each token."""
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


# --- the token endpoint ---------------------------------------------------------------------------


def test_the_documented_call_returns_a_bearer_token(client, talend, account):
    assert client.url + TOKEN_PATH == talend.token_url
    response = client.call_token_endpoint(account)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert parsedate_to_datetime(response.headers["Date"])
    members = response.json()
    assert (members.pop("token_type"), members.pop("expires_in")) == ("Bearer", "1800")
    assert members.keys() == {"access_token"}
    assert client.get_token(account) != members["access_token"]


def test_a_token_is_a_jwt_with_the_claims_of_the_published_sample(client, account):
    claims = claims_of(client.get_token(account))
    assert (claims["sub"], claims["azp"]) == (f"{account.client_id}@clients", account.client_id)
    assert (claims["gty"], claims["aud"]) == ("client-credentials", client.url)
    assert (claims["iat"], claims["exp"]) == (int(START), int(START) + 1800)
    assert claims["permissions"] == list(DOCUMENTED_PERMISSIONS)
    assert {"iss", "tenant_id", "tenant_name", "name"} <= claims.keys()


def test_a_token_grows_with_its_permissions(client, talend):
    """The live service's tokens are estimated at 1.2 KB with 3 permissions and 4.4 KB with 100."""
    few = client.get_token(talend.add_account(Account(permissions=many_permissions(3))))
    many = client.get_token(talend.add_account(Account(permissions=many_permissions(100))))
    assert 700 < len(few) < 1300
    assert 3800 < len(many) < 4800


def basic(text):
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    "authorization",
    [None, "Basic %%%", *map(basic, [b"no colon", b"\xff\xfe:x", b":", b"known:wrong", b"unknown:right"])],
)
def test_wrong_credentials_get_a_401(client, talend, authorization):
    account = talend.add_account(Account("known", "right"))
    # A callable keeps requests from setting the header itself.
    headers = {"Authorization": authorization}
    response = client.call_token_endpoint(account, auth=lambda request: request, headers=headers)
    assert response.status_code == 401


@pytest.mark.parametrize("secret", ["with:colons:", "with spaces ", "ünïcode"])
def test_credentials_are_read_as_rfc_7617_says(client, talend, secret):
    assert client.get_token(talend.add_account(Account("known", secret)))


@pytest.mark.parametrize("pair", [("", "secret"), ("with:colon", "secret"), ("id", "")])
def test_an_account_that_basic_cannot_carry_is_refused(pair):
    with pytest.raises(ValueError, match="must not be empty"):
        Account(*pair)


def test_an_account_without_permissions_gets_a_403(client, talend):
    assert client.call_token_endpoint(talend.add_account(Account(permissions=()))).status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        '{"audience": "URL/", "grant_type": "client_credentials"}',
        '{"audience": "URL", "grant_type": "password"}',
        '{"audience": "URL"}',
        '["URL"]',
        "",
        "[" * 100_000,
    ],
    ids=["slash", "password", "no-grant-type", "list", "empty", "deep"],
)
def test_a_wrong_body_gets_a_400(client, account, body):
    headers, data = {"Content-Type": "application/json"}, body.replace("URL", client.url)
    assert client.call_token_endpoint(account, json=None, data=data, headers=headers).status_code == 400


def test_the_token_endpoint_takes_json_by_post_only(client, account):
    form = {"audience": client.url, "grant_type": "client_credentials"}
    assert client.call_token_endpoint(account, json=None, data=form).status_code == 415
    response = client.session.get(client.url + TOKEN_PATH)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("form", "expected"), [("string", "1800"), ("number", 1800), ("nonsense", "half an hour"), ("absent", None)]
)
def test_expires_in_has_the_form_that_is_set(client, talend, account, form, expected):
    talend.settings.expires_in = form
    assert client.call_token_endpoint(account).json().get("expires_in") == expected


# --- validity, revocation -------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "seconds"), [(1, 1800), (60, 30), (7, 257), (1800, 1)])
def test_a_token_is_valid_for_exactly_as_long_as_it_says(client, talend, account, clock, speed, seconds):
    talend.settings.speed = speed
    members = client.call_token_endpoint(account).json()
    claims = claims_of(members["access_token"])
    assert members["expires_in"] == str(seconds)
    assert claims["exp"] - claims["iat"] == seconds
    clock.now = START + seconds - 0.01
    assert client.statuses(members["access_token"]) == [200]
    clock.now = START + seconds
    assert client.statuses(members["access_token"]) == [401]


@pytest.mark.parametrize("error_seconds", [-7200, 7200])
def test_a_wrong_server_clock_shifts_the_claims_and_not_the_validity(client, talend, account, clock, error_seconds):
    talend.settings.clock_error_seconds = error_seconds
    token = client.get_token(account)
    claims = claims_of(token)
    assert (claims["iat"], claims["exp"]) == (int(START) + error_seconds, int(START) + error_seconds + 1800)
    clock.now = START + 1799
    assert client.statuses(token) == [200]
    clock.now = START + 1800
    assert client.statuses(token) == [401]


def test_a_new_token_neither_ends_nor_revives_another(client, account, clock):
    first = client.get_token(account)
    clock.now = START + 1000
    second = client.get_token(account)
    assert client.statuses(first, second) == [200, 200]
    clock.now = START + 2000
    client.get_token(account)
    assert client.statuses(first, second) == [401, 200]


def test_tokens_are_revoked_one_by_one_and_by_account(client, talend, account):
    tokens = [client.get_token(account), client.get_token(account), client.get_token(talend.add_account())]
    assert talend.revoke(tokens[0])
    assert not talend.revoke(tokens[0])
    assert client.statuses(*tokens) == [401, 200, 200]
    assert talend.tokens.revoke_all(account.client_id) == 1
    assert client.statuses(*tokens) == [401, 401, 200]
    assert client.statuses(client.get_token(account)) == [200]


def test_a_new_token_revokes_the_accounts_earlier_ones_if_so_set(client, talend, account):
    tokens = [client.get_token(account), client.get_token(talend.add_account())]
    talend.settings.revoke_on_issue = True
    assert client.statuses(client.get_token(account), *tokens) == [200, 401, 200]


def test_a_changed_account_gets_no_token_and_keeps_those_it_has(client, talend, account):
    token = client.get_token(account)
    replaced = talend.add_account(Account(account.client_id))
    assert client.call_token_endpoint(account).status_code == 401
    assert client.get_token(replaced)
    assert talend.accounts.remove(account.client_id)
    assert client.call_token_endpoint(replaced).status_code == 401
    assert client.statuses(token) == [200]


# --- the API --------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer made-up", "Basic TOKEN", "TOKEN"])
def test_the_api_answers_401_without_a_valid_token(client, account, authorization):
    value = authorization and authorization.replace("TOKEN", client.get_token(account))
    response = client.session.get(client.url + PROBE_PATH, headers={"Authorization": value})
    assert response.status_code == 401
    assert "WWW-Authenticate" not in response.headers


def test_a_token_of_another_region_gets_a_401(client, talend, clock):
    with TalendSimulator([talend.add_account()], clock=clock) as elsewhere:
        foreign = Client(client.session, elsewhere.url).get_token(elsewhere.accounts.all()[0])
    assert client.statuses(foreign) == [401]


def test_the_documented_shapes_of_a_401_take_turns(client, talend):
    shapes = [client.call_api("made-up").content for _ in range(6)]
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
        response = client.call_api(token, path)
        assert response.status_code == status
        response.json()


def test_the_api_takes_get_only_and_knows_no_other_path(client, account):
    token = client.get_token(account)
    assert client.call_api(token, "/account").status_code == 404
    response = client.session.post(client.url + PROBE_PATH, headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
    response = client.session.head(client.url + PROBE_PATH, headers={"Authorization": f"Bearer {token}"})
    assert (response.status_code, response.content) == (200, b"")


def test_the_requests_of_a_minute_can_be_limited(client, talend, account, clock):
    """The limit is the API's, because none is published for the token endpoint."""
    clock.now = 600.5
    token = client.get_token(account)
    talend.settings.requests_per_minute = 2
    assert client.statuses(token, token, token) == [200, 200, 429]
    clock.now = 650.5
    response = client.call_api(token)
    limits = {name: value for name, value in response.headers.items() if name.startswith("X-RateLimit-")}
    assert limits == {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "10"}
    assert client.get_token(account)
    clock.now = 660
    assert client.statuses(token) == [200]


def test_the_api_can_hold_a_request_before_it_looks_at_it(client, talend, account):
    token = client.get_token(account)
    talend.settings.api_seconds = 600
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(client.call_api, token)
        eventually(lambda: talend.stalled == 1)
        talend.revoke(token)
        assert talend.release() == 1
        assert answer.result(DEADLINE_SECONDS).status_code == 401


# --- the journal ----------------------------------------------------------------------------------


def test_the_journal_has_every_request_and_its_status(client, talend, account, clock):
    token = client.get_token(account)
    clock.now += 10
    client.call_api(token, "/account/users?page=1")
    client.call_api("made-up", "/orchestration/plans")
    client.call_token_endpoint(Account(account.client_id))
    client.call_token_endpoint(Account("unknown"))
    entries = [
        (entry.time - START, entry.method, entry.path, entry.status, entry.client_id, entry.token_sha256)
        for entry in talend.journal
    ]
    assert entries == [
        (0, "POST", TOKEN_PATH, 200, account.client_id, fingerprint(token)),
        (10, "GET", "/account/users", 200, account.client_id, fingerprint(token)),
        (10, "GET", "/orchestration/plans", 401, None, fingerprint("made-up")),
        (10, "POST", TOKEN_PATH, 401, account.client_id, None),
        (10, "POST", TOKEN_PATH, 401, None, None),
    ]
    assert [entry.sequence for entry in talend.token_calls()] == [1, 4, 5]
    assert [entry.sequence for entry in talend.journal.entries(after=3)] == [4, 5]


def test_the_journal_holds_no_secret(client, talend, account):
    """Wherever a careless client puts it."""
    token = client.get_token(account)
    client.call_token_endpoint(Account(account.client_secret, account.client_id))
    client.call_api(token, f"/account/users?access_token={token}&secret={account.client_secret}")
    client.call_api(account.client_secret)
    shown = repr(talend.journal.entries())
    assert len(talend.journal) == 4
    assert token not in shown
    assert account.client_secret not in shown


@pytest.mark.parametrize(
    "carrier", [Account("id", "marked"), Answer(200, "marked"), JsonAnswer({"x": "marked"}), Amend({"x": "marked"})]
)
def test_an_object_that_carries_a_secret_does_not_show_it(carrier):
    assert "marked" not in repr(carrier)


# --- faults: what is answered ---------------------------------------------------------------------


def test_faults_apply_in_order_and_for_their_number_of_requests(client, talend, account):
    token = client.get_token(account)
    talend.faults.add(Answer(503), times=2)
    talend.faults.add(Answer(500), times=None)
    assert [client.call_token_endpoint(account).status_code for _ in range(4)] == [503, 503, 500, 500]
    assert client.statuses(token) == [200]
    talend.faults.clear()
    assert client.get_token(account)
    assert [entry.fault for entry in talend.token_calls()] == [None, *["answer"] * 4, None]


def test_an_answer_has_any_status_body_and_headers(client, talend, account):
    talend.faults.add(Answer(429, b"\x00\xff", {"Retry-After": "2"}))
    response = client.call_token_endpoint(account)
    assert (response.status_code, response.content, response.headers["Retry-After"]) == (429, b"\x00\xff", "2")
    talend.faults.add(JsonAnswer(["any"], status=201))
    response = client.call_token_endpoint(account)
    assert (response.status_code, response.json()) == (201, ["any"])
    talend.faults.add(HtmlAnswer())
    response = client.call_token_endpoint(account)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    talend.faults.add(Redirect("https://elsewhere.invalid/token", status=302))
    response = client.call_token_endpoint(account)
    assert (response.status_code, response.headers["Location"]) == (302, "https://elsewhere.invalid/token")


def test_a_working_token_can_come_in_an_amended_answer(client, talend, account):
    talend.faults.add(Amend({"token_type": "bearer", "scope": None}, without=("expires_in",)), times=2)
    members = client.call_token_endpoint(account).json()
    assert client.statuses(members.pop("access_token")) == [200]
    assert members == {"token_type": "bearer", "scope": None}
    assert "token_type" not in client.call_token_endpoint(Account("unknown")).json()


def test_the_same_token_can_come_again_with_what_is_left(client, talend, account, clock):
    talend.faults.add(SameToken(), times=None)
    first = client.get_token(account)
    clock.now = START + 100.5
    again = client.call_token_endpoint(account)
    assert again.json() == {"access_token": first, "token_type": "Bearer", "expires_in": "1699"}
    assert client.get_token(talend.add_account()) != first
    clock.now = START + 1800
    assert client.get_token(account) != first


# --- faults: how it is sent -----------------------------------------------------------------------


@pytest.mark.parametrize(("keep_bytes", "expected"), [(None, range(400, 800)), (0, range(1)), (9, range(9, 10))])
def test_json_can_be_truncated_in_a_complete_message(client, talend, account, keep_bytes, expected):
    talend.faults.add(Truncate(keep_bytes))
    response = client.call_token_endpoint(account)
    assert len(response.content) in expected
    assert b'{"access_token": "'.startswith(response.content[:18])


@pytest.mark.parametrize("fault", [Close(), Reset()])
def test_a_token_can_be_issued_and_lost_with_the_connection(client, talend, account, fault):
    talend.faults.add(fault)
    with pytest.raises(requests.exceptions.ConnectionError):
        client.call_token_endpoint(account)
    (entry,) = talend.token_calls()
    assert (entry.status, entry.fault, entry.client_id) == (None, fault.kind, account.client_id)
    assert talend.tokens.revoke(entry.token_sha256)


def test_an_ordinary_end_and_a_reset_differ_on_the_wire(talend, account):
    talend.faults.add(Close())
    with send_token_request(talend, account) as connection:
        assert connection.recv(1) == b""
    talend.faults.add(Close(after_body_bytes=10))
    with send_token_request(talend, account) as connection, connection.makefile("rb") as answer:
        head, _, body = answer.read().partition(b"\r\n\r\n")
        assert b"200 OK" in head
        assert body == b'{"access_t'
    talend.faults.add(Reset())
    with send_token_request(talend, account) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    talend.faults.add(Reset(after_body_bytes=10))
    received = b""
    with send_token_request(talend, account) as connection:
        while not received.endswith(b'\r\n\r\n{"access_t'):
            received += connection.recv(65_536)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_can_be_huge(client, talend, account, announced):
    talend.faults.add(Huge(body_bytes=200_000, announced=announced))
    response = client.call_token_endpoint(account)
    assert len(response.content) == 200_000
    assert len(response.json()["access_token"]) > 199_900
    assert ("Content-Length" in response.headers) == announced


def test_a_client_may_leave_a_huge_body(talend, account):
    talend.faults.add(Huge(body_bytes=10**15))
    threads = threading.active_count()
    with send_token_request(talend, account) as connection:
        assert connection.recv(100)
    eventually(lambda: threading.active_count() == threads)


@pytest.mark.parametrize("inside_body", [False, True])
def test_an_answer_stalls_until_it_is_released(client, talend, account, inside_body):
    talend.faults.add(Stall(inside_body=inside_body))
    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(client.call_token_endpoint, account)
        eventually(lambda: talend.stalled == 1)
        assert not answer.done()
        assert talend.release() == 1
        assert client.statuses(answer.result(DEADLINE_SECONDS).json()["access_token"]) == [200]
    assert talend.release() == 0


def test_a_stall_sends_nothing_or_half_of_the_body(talend, account):
    for inside_body in (False, True):
        talend.faults.add(Stall(inside_body=inside_body))
        with send_token_request(talend, account) as connection:
            eventually(lambda: talend.stalled == 1)
            connection.setblocking(False)
            if inside_body:
                head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
                (length,) = re.findall(rb"Content-Length: (\d+)", head)
                assert len(body) == int(length) // 2
            with pytest.raises(BlockingIOError):
                connection.recv(1)
        # It ends when the client leaves.
        eventually(lambda: talend.stalled == 0)


@pytest.mark.parametrize("more", [b"", b"GET /account/users HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["", "next request"])
def test_a_stall_ends_when_the_simulator_is_stopped(account, more):
    with TalendSimulator([account]) as talend:
        talend.faults.add(Stall())
        connection = send_token_request(talend, account)
        eventually(lambda: talend.stalled == 1)
        connection.sendall(more)
    with connection:
        assert connection.recv(1) == b""


def test_a_drip_comes_piece_by_piece(talend, account):
    talend.faults.add(Drip(interval_seconds=3600, chunk_bytes=8))
    with send_token_request(talend, account) as connection, connection.makefile("rb") as answer:
        while answer.readline().strip():
            continue
        for expected in (b'{"access', b'_token":'):
            eventually(lambda: talend.stalled == 1)
            talend.release()
            assert answer.read(8) == expected
    eventually(lambda: talend.stalled == 0)


# --- the server -----------------------------------------------------------------------------------


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


def test_many_clients_are_served_at_once(talend, account):
    together = threading.Barrier(100)

    def ask(_):
        together.wait(DEADLINE_SECONDS)
        with send_token_request(talend, account) as connection:
            return connection.recv(65_536)

    with ThreadPoolExecutor(100) as executor:
        answers = list(executor.map(ask, range(100)))
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
    assert len({entry.token_sha256 for entry in talend.token_calls()}) == 100


def test_it_listens_on_one_loopback_address_only(talend):
    # A server that listens on every address would answer on this one too.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", urlsplit(talend.url).port), DEADLINE_SECONDS)


@pytest.mark.parametrize(
    ("header", "status"),
    [("Content-Length: 1000000000", b"413"), ("Content-Length: many", b"400"), ("Transfer-Encoding: chunked", b"411")],
)
def test_a_body_that_cannot_be_read_is_refused(talend, header, status):
    with connect(talend) as connection, connection.makefile("rb") as answer:
        connection.sendall(f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        assert answer.read().split(b" ")[1] == status


def test_a_defect_of_the_simulator_is_reported(capfd):
    def broken_clock():
        raise RuntimeError("the clock is broken")

    with TalendSimulator(clock=broken_clock) as talend, pytest.raises(requests.exceptions.ConnectionError):
        Client(requests.Session(), talend.url).call_token_endpoint(talend.add_account())
    assert "the clock is broken" in capfd.readouterr().err


def test_stopping_ends_connections_and_threads_and_frees_the_port(account):
    threads = threading.active_count()
    with TalendSimulator([account]) as talend:
        port = urlsplit(talend.url).port
        idle = connect(talend)
        idle.sendall(b"GET /account/users HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(65_536).startswith(b"HTTP/1.1 401")
        with pytest.raises(OSError, match="in use"):
            TalendSimulator(port=port)
    with idle:
        assert idle.recv(1) == b""
    eventually(lambda: threading.active_count() == threads)
    with TalendSimulator(port=port) as again:
        assert again.url == talend.url
