"""The simulator over real HTTP: what a client sees of it, and what a test can make it do."""

import base64
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from talend_simulator import (
    DOCUMENTED_PERMISSIONS,
    Account,
    Amend,
    Answer,
    Broken,
    Close,
    Drip,
    Fault,
    HtmlAnswer,
    Huge,
    JsonAnswer,
    Redirect,
    Reset,
    SameToken,
    Settings,
    Stall,
    TalendSimulator,
    Truncate,
    fingerprint,
    many_permissions,
)
from talend_simulator.connection import Stalls
from talend_simulator.messages import Request, Response
from talend_simulator.tokens import IssuedToken

START = 1_795_472_989.75
DEADLINE_SECONDS = 30.0
TOKEN_PATH = "/security/oauth/token"
PROBE_PATH = "/account/service-accounts/permissions"


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def talend(clock: Clock, capfd: pytest.CaptureFixture[str]) -> Iterator[TalendSimulator]:
    with TalendSimulator(clock=clock) as talend:
        yield talend
    assert capfd.readouterr() == ("", ""), "a defect of the simulator is reported on stderr"


@pytest.fixture
def account(talend: TalendSimulator) -> Account:
    return talend.add_account()


@pytest.fixture
def http_session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        # Proxies and .netrc of the machine stay out of it.
        session.trust_env = False
        yield session


class Client:
    """A client that knows the documented requests and no more."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self.session = session
        self.url = url

    def call_token_endpoint(self, account: Account, **changes: Any) -> requests.Response:
        body = {"audience": self.url, "grant_type": "client_credentials"}
        request: dict[str, Any] = {
            "json": body,
            "auth": (account.client_id.encode(), account.client_secret.encode()),
            "allow_redirects": False,
            "timeout": DEADLINE_SECONDS,
        }
        return self.session.post(self.url + TOKEN_PATH, **(request | changes))

    def get_token(self, account: Account) -> str:
        response = self.call_token_endpoint(account)
        assert response.status_code == 200
        return str(response.json()["access_token"])

    def call_api(self, access_token: str, path: str = PROBE_PATH) -> requests.Response:
        headers = {"Authorization": f"Bearer {access_token}"}
        return self.session.get(self.url + path, headers=headers, timeout=DEADLINE_SECONDS)

    def control(self, method: str, path: str, members: object = None) -> Any:
        """What the control API answers, None if that is nothing."""
        url = f"{self.url}/_simulator/{path}"
        response = self.session.request(method, url, json=members, timeout=DEADLINE_SECONDS)
        assert response.status_code == (200 if response.content else 204)
        return response.json() if response.content else None


@pytest.fixture
def client(http_session: requests.Session, talend: TalendSimulator) -> Client:
    return Client(http_session, talend.url)


def claims_of(access_token: str) -> dict[str, Any]:
    payload = access_token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


def connect(talend: TalendSimulator) -> socket.socket:
    return socket.create_connection(("127.0.0.1", urlsplit(talend.url).port or 0), DEADLINE_SECONDS)


def send_token_request(talend: TalendSimulator, account: Account) -> socket.socket:
    body = json.dumps({"audience": talend.url, "grant_type": "client_credentials"})
    credentials = base64.b64encode(account.credentials.encode()).decode()
    connection = connect(talend)
    connection.sendall(
        f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return connection


class TestTokenEndpoint:
    def test_grants_a_bearer_token_for_the_documented_call(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        assert client.url + TOKEN_PATH == talend.token_url
        response = client.call_token_endpoint(account)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        assert parsedate_to_datetime(response.headers["Date"]).tzinfo == UTC
        members = response.json()
        assert members.keys() == {"access_token", "token_type", "expires_in"}
        assert members["token_type"] == "Bearer"
        assert members["expires_in"] == "1800"

    def test_the_token_is_a_jwt_with_the_claims_of_the_published_sample(self, client: Client, account: Account) -> None:
        access_token = client.get_token(account)
        assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", access_token)
        claims = claims_of(access_token)
        assert claims["sub"] == f"{account.client_id}@clients"
        assert claims["azp"] == account.client_id
        assert claims["gty"] == "client-credentials"
        assert claims["aud"] == client.url
        assert claims["iat"] == int(START)
        assert claims["exp"] == int(START) + 1800
        assert claims["permissions"] == list(DOCUMENTED_PERMISSIONS)
        assert claims["name"] == account.name
        assert {"iss", "tenant_id", "tenant_name"} <= claims.keys()

    def test_two_tokens_of_the_same_moment_differ(self, client: Client, account: Account) -> None:
        assert client.get_token(account) != client.get_token(account)

    def test_a_token_grows_with_its_permissions(self, client: Client, talend: TalendSimulator) -> None:
        """The live service's are estimated at 1.2 KB with 3 and 4.4 KB with 100; its signature is longer."""
        few = client.get_token(talend.add_account(Account(permissions=many_permissions(3))))
        many = client.get_token(talend.add_account(Account(permissions=many_permissions(100))))
        assert 700 < len(few) < 1300
        assert 3800 < len(many) < 4800

    @pytest.mark.parametrize(
        "authorization",
        [
            None,
            "Basic",
            "Basic %%%",
            "Basic " + base64.b64encode(b"no colon").decode(),
            "Basic " + base64.b64encode(b"\xff\xfe:secret").decode(),
            "Basic " + base64.b64encode(b":").decode(),
            "Basic " + base64.b64encode(b"known:wrong").decode(),
            "Basic " + base64.b64encode(b"unknown:right").decode(),
            "Bearer " + base64.b64encode(b"known:right").decode(),
        ],
    )
    def test_refuses_a_pair_that_is_missing_malformed_or_wrong_with_401(
        self, client: Client, talend: TalendSimulator, authorization: str | None
    ) -> None:
        account = talend.add_account(Account("known", "right"))
        # A callable keeps requests from setting the header itself.
        response = client.call_token_endpoint(
            account, auth=lambda request: request, headers={"Authorization": authorization}
        )
        assert response.status_code == 401
        assert client.call_token_endpoint(account).status_code == 200

    @pytest.mark.parametrize("secret", ["with:colons:", "with spaces ", "ünïcode"])
    def test_takes_the_pair_as_rfc_7617_says(self, client: Client, talend: TalendSimulator, secret: str) -> None:
        account = talend.add_account(Account("known", secret))
        assert client.call_token_endpoint(account).status_code == 200
        encoded = base64.b64encode(account.credentials.encode()).decode()
        response = client.call_token_endpoint(
            account, auth=lambda request: request, headers={"Authorization": f"bASIC {encoded}"}
        )
        assert response.status_code == 200

    def test_refuses_an_account_without_any_right_with_403(self, client: Client, talend: TalendSimulator) -> None:
        assert client.call_token_endpoint(talend.add_account(Account(permissions=()))).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [
            '{"audience": "URL/", "grant_type": "client_credentials"}',
            '{"audience": "https://api.eu.cloud.talend.com", "grant_type": "client_credentials"}',
            '{"audience": "URL", "grant_type": "password"}',
            '{"audience": "URL"}',
            '{"grant_type": "client_credentials"}',
            '["URL"]',
            "grant_type=client_credentials",
            "",
            "[" * 100_000,
        ],
        ids=["slash", "elsewhere", "password", "no-grant-type", "no-audience", "list", "form", "empty", "deep"],
    )
    def test_refuses_a_wrong_body_with_400(self, client: Client, account: Account, body: str) -> None:
        headers = {"Content-Type": "application/json"}
        data = body.replace("URL", client.url)
        assert client.call_token_endpoint(account, json=None, data=data, headers=headers).status_code == 400

    def test_takes_json_only(self, client: Client, account: Account) -> None:
        form = {"audience": client.url, "grant_type": "client_credentials"}
        assert client.call_token_endpoint(account, json=None, data=form).status_code == 415
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert client.call_token_endpoint(account, headers=headers).status_code == 200

    def test_takes_post_only(self, client: Client) -> None:
        response = client.session.get(client.url + TOKEN_PATH)
        assert (response.status_code, response.headers["Allow"]) == (405, "POST")

    @pytest.mark.parametrize(
        ("form", "expected"),
        [
            ("string", {"expires_in": "1800"}),
            ("number", {"expires_in": 1800}),
            ("nonsense", {"expires_in": "half an hour"}),
            ("absent", {}),
        ],
    )
    def test_says_the_life_in_the_form_that_is_set(
        self, client: Client, talend: TalendSimulator, account: Account, form: Any, expected: dict[str, Any]
    ) -> None:
        talend.settings.expires_in = form
        members = client.call_token_endpoint(account).json()
        assert {name: value for name, value in members.items() if name == "expires_in"} == expected


class TestLife:
    @pytest.mark.parametrize(("speed", "life_seconds"), [(1, 1800), (60, 30), (7, 257), (1800, 1)])
    def test_a_token_works_for_exactly_the_life_that_was_granted(
        self,
        client: Client,
        talend: TalendSimulator,
        account: Account,
        clock: Clock,
        speed: float,
        life_seconds: int,
    ) -> None:
        """Whole seconds, rounded down; what `expires_in` and the claims promise is honoured."""
        talend.settings.speed = speed
        members = client.call_token_endpoint(account).json()
        claims = claims_of(members["access_token"])
        assert members["expires_in"] == str(life_seconds)
        assert claims["exp"] - claims["iat"] == life_seconds
        assert claims["exp"] <= START + life_seconds
        clock.now = START + life_seconds - 0.01
        assert client.call_api(members["access_token"]).status_code == 200
        clock.now = START + life_seconds
        assert client.call_api(members["access_token"]).status_code == 401

    @pytest.mark.parametrize("error_seconds", [-7200, 7200])
    def test_a_wrong_server_clock_does_not_change_the_validity(
        self, client: Client, talend: TalendSimulator, account: Account, clock: Clock, error_seconds: int
    ) -> None:
        talend.settings.clock_error_seconds = error_seconds
        access_token = client.get_token(account)
        claims = claims_of(access_token)
        assert (claims["iat"], claims["exp"]) == (int(START) + error_seconds, int(START) + error_seconds + 1800)
        clock.now = START + 1799
        assert client.call_api(access_token).status_code == 200
        clock.now = START + 1800
        assert client.call_api(access_token).status_code == 401

    def test_a_new_token_neither_ends_nor_revives_another(self, client: Client, account: Account, clock: Clock) -> None:
        """Tokens that are issued meanwhile."""
        first = client.get_token(account)
        clock.now = START + 1000
        second = client.get_token(account)
        assert client.call_api(first).status_code == 200
        clock.now = START + 2000
        client.get_token(account)
        assert [client.call_api(token).status_code for token in (first, second)] == [401, 200]


class TestApi:
    @pytest.mark.parametrize(
        "path",
        [
            PROBE_PATH,
            "/account/users?page=1&size=1",
            "/orchestration/executables/tasks",
            "/processing/executables/tasks/executions",
        ],
    )
    def test_answers_a_live_token_with_json(self, client: Client, account: Account, path: str) -> None:
        response = client.call_api(client.get_token(account), path)
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json"
        response.json()

    @pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer made-up", "Basic TOKEN", "TOKEN"])
    def test_answers_401_without_a_token_of_its_own(
        self, client: Client, account: Account, authorization: str | None
    ) -> None:
        value = authorization and authorization.replace("TOKEN", client.get_token(account))
        response = client.session.get(client.url + PROBE_PATH, headers={"Authorization": value})
        assert response.status_code == 401
        assert "WWW-Authenticate" not in response.headers

    def test_a_token_of_another_region_gets_401(self, client: Client, talend: TalendSimulator, clock: Clock) -> None:
        account = talend.add_account()
        with TalendSimulator([account], clock=clock) as elsewhere:
            foreign = Client(client.session, elsewhere.url).get_token(account)
        assert client.call_api(foreign).status_code == 401

    @pytest.mark.parametrize(
        ("shape", "members"),
        [("message", {"status", "message"}), ("detail", {"status", "detail"}), ("empty", None)],
    )
    def test_a_401_has_the_documented_shape_that_is_set(
        self, client: Client, talend: TalendSimulator, shape: Any, members: set[str] | None
    ) -> None:
        talend.settings.unauthorized = shape
        for _ in range(2):
            response = client.call_api("made-up")
            assert response.status_code == 401
            if members is None:
                assert response.content == b""
            else:
                assert response.json().keys() == members
                assert response.json()["status"] == 401

    def test_the_documented_shapes_of_a_401_take_turns(self, client: Client) -> None:
        shapes = [client.call_api("made-up").content for _ in range(6)]
        assert len(set(shapes[:3])) == 3
        assert shapes[:3] == shapes[3:]

    @pytest.mark.parametrize(
        ("path", "permission"),
        [
            (PROBE_PATH, "TMC_SERVICE_ACCOUNT_MANAGEMENT"),
            ("/account/users", "TMC_USER_MANAGEMENT"),
            ("/orchestration/plans", "TMC_ENGINE_USE"),
        ],
    )
    def test_a_recognised_token_without_the_right_gets_403(
        self, client: Client, talend: TalendSimulator, path: str, permission: str
    ) -> None:
        others = tuple(other for other in DOCUMENTED_PERMISSIONS if other != permission)
        for permissions, status in ((others, 403), ((permission,), 200)):
            account = talend.add_account(Account(permissions=permissions))
            assert client.call_api(client.get_token(account), path).status_code == status

    def test_a_change_of_permissions_shows_only_in_the_next_token(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        before = client.get_token(account)
        talend.add_account(Account(account.client_id, account.client_secret, ("TMC_ENGINE_USE",)))
        after = client.get_token(account)
        assert [client.call_api(token).status_code for token in (before, after)] == [200, 403]

    def test_takes_get_only_and_knows_no_other_path(self, client: Client, account: Account) -> None:
        access_token = client.get_token(account)
        assert client.call_api(access_token, "/account").status_code == 404
        assert client.call_api(access_token, "/account/users/1").status_code == 404
        response = client.session.post(client.url + PROBE_PATH, headers={"Authorization": f"Bearer {access_token}"})
        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
        response = client.session.head(client.url + PROBE_PATH, headers={"Authorization": f"Bearer {access_token}"})
        assert (response.status_code, response.content) == (200, b"")
        assert client.call_api(access_token).status_code == 200

    def test_the_requests_of_a_minute_can_be_limited(
        self, client: Client, talend: TalendSimulator, account: Account, clock: Clock
    ) -> None:
        """The limit is the API's: none is published for the token endpoint."""
        clock.now = 600.5
        access_token = client.get_token(account)
        talend.settings.requests_per_minute = 2
        assert [client.call_api(access_token).status_code for _ in range(3)] == [200, 200, 429]
        clock.now = 650.5
        response = client.call_api(access_token)
        limits = {name: value for name, value in response.headers.items() if name.startswith("X-RateLimit-")}
        assert limits == {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "10"}
        assert "Retry-After" not in response.headers
        assert client.call_token_endpoint(account).status_code == 200
        clock.now = 660
        assert client.call_api(access_token).status_code == 200

    def test_the_api_can_take_its_time_and_looks_at_a_request_only_then(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        access_token = client.get_token(account)
        talend.settings.api_seconds = 600
        with ThreadPoolExecutor(1) as executor:
            answer = executor.submit(client.call_api, access_token)
            wait_until(lambda: talend.stalled == 1)
            talend.revoke(access_token)
            assert talend.release() == 1
            assert answer.result(DEADLINE_SECONDS).status_code == 401
        talend.settings.api_seconds = 0.001
        assert client.call_api(client.get_token(account)).status_code == 200


class TestAccountsAndRevocation:
    def test_a_revoked_token_ends_at_once_and_the_others_live_on(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        revoked, other = client.get_token(account), client.get_token(account)
        assert talend.revoke(revoked)
        assert [client.call_api(token).status_code for token in (revoked, other)] == [401, 200]
        assert not talend.revoke(revoked)

    def test_all_tokens_of_one_account_can_be_revoked(self, client: Client, talend: TalendSimulator) -> None:
        mine, theirs = talend.add_account(), talend.add_account()
        tokens = [client.get_token(mine), client.get_token(mine), client.get_token(theirs)]
        assert talend.tokens.revoke_all(mine.client_id) == 2
        assert [client.call_api(token).status_code for token in tokens] == [401, 401, 200]
        assert client.call_api(client.get_token(mine)).status_code == 200

    def test_a_new_token_ends_the_accounts_earlier_ones_if_so_set(
        self, client: Client, talend: TalendSimulator
    ) -> None:
        mine, theirs = talend.add_account(), talend.add_account()
        tokens = [client.get_token(mine), client.get_token(theirs)]
        talend.settings.revoke_on_issue = True
        tokens.append(client.get_token(mine))
        assert [client.call_api(token).status_code for token in tokens] == [401, 200, 200]

    def test_a_removed_account_gets_no_token_and_keeps_those_it_has(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        access_token = client.get_token(account)
        assert talend.accounts.remove(account.client_id)
        assert client.call_token_endpoint(account).status_code == 401
        assert client.call_api(access_token).status_code == 200
        assert not talend.accounts.remove(account.client_id)

    def test_a_replaced_secret_ends_the_old_one(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        replaced = talend.add_account(Account(account.client_id))
        assert client.call_token_endpoint(account).status_code == 401
        assert client.call_token_endpoint(replaced).status_code == 200

    def test_random_accounts_look_like_real_ones(self) -> None:
        account = Account()
        assert re.fullmatch(r"[\w-]{32}:[\w-]{64}", account.credentials)
        assert account != Account()
        assert account.client_secret not in repr(account)

    @pytest.mark.parametrize("pair", [("", "secret"), ("with:colon", "secret"), ("id", "")])
    def test_an_account_that_basic_cannot_carry_is_refused(self, pair: tuple[str, str]) -> None:
        with pytest.raises(ValueError, match="must not be empty"):
            Account(*pair)


class TestJournal:
    def test_tells_who_asked_what_and_how_it_went(
        self, client: Client, talend: TalendSimulator, account: Account, clock: Clock
    ) -> None:
        access_token = client.get_token(account)
        clock.now += 10
        client.call_api(access_token, "/account/users?page=1")
        client.call_api("made-up", "/orchestration/plans")
        client.call_token_endpoint(Account(account.client_id))
        client.call_token_endpoint(Account("unknown"))
        told = [
            (entry.time - START, entry.method, entry.path, entry.status, entry.client_id, entry.token_sha256)
            for entry in talend.journal
        ]
        assert told == [
            (0, "POST", TOKEN_PATH, 200, account.client_id, fingerprint(access_token)),
            (10, "GET", "/account/users", 200, account.client_id, fingerprint(access_token)),
            (10, "GET", "/orchestration/plans", 401, None, fingerprint("made-up")),
            (10, "POST", TOKEN_PATH, 401, account.client_id, None),
            (10, "POST", TOKEN_PATH, 401, None, None),
        ]
        assert [entry.sequence for entry in talend.journal] == [1, 2, 3, 4, 5]
        assert [entry.sequence for entry in talend.token_calls()] == [1, 4, 5]
        assert len(talend.journal) == 5

    def test_goes_on_counting_when_it_is_cleared(self, client: Client, talend: TalendSimulator) -> None:
        client.call_api("first")
        client.call_api("second")
        assert [entry.sequence for entry in talend.journal.entries(after=1)] == [2]
        talend.journal.clear()
        assert len(talend.journal) == 0
        client.call_api("third")
        assert [entry.sequence for entry in talend.journal.entries(after=2)] == [3]
        assert [entry.sequence for entry in talend.journal] == [3]

    def test_holds_no_secret_wherever_a_careless_client_puts_it(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        access_token = client.get_token(account)
        swapped = Account(account.client_secret, account.client_id)
        client.call_token_endpoint(swapped)
        client.call_api(access_token, f"/account/users?access_token={access_token}&secret={account.client_secret}")
        client.call_api(account.client_secret)
        client.session.get(f"{client.url}/nowhere?{account.client_secret}")
        shown = repr(talend.journal.entries()) + json.dumps(client.control("GET", "journal"))
        assert len(talend.journal) == 5
        for secret in (access_token, account.client_secret):
            assert secret not in shown

    @pytest.mark.parametrize(
        "carrier",
        [
            Account("id", "marked"),
            Answer(200, "marked"),
            JsonAnswer({"access_token": "marked"}),
            Amend({"access_token": "marked"}),
            Request(
                "GET",
                "/",
                "127.0.0.1",
                "token=marked",
                http.client.parse_headers(io.BytesIO(b"Token: marked\r\n\r\n")),
                b"marked",
            ),
            Response(200, b"marked"),
            IssuedToken("marked", "sha256", "id", frozenset(), 0),
        ],
        ids=lambda carrier: type(carrier).__name__,
    )
    def test_types_that_hold_a_secret_do_not_show_it(self, carrier: object) -> None:
        assert "marked" not in repr(carrier)


class TestFaults:
    def test_come_in_their_order_and_end_after_their_number(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        talend.faults.add(Answer(503), times=2)
        talend.faults.add(Answer(500))
        assert [client.call_token_endpoint(account).status_code for _ in range(5)] == [503, 503, 500, 200, 200]
        assert [entry.fault for entry in talend.token_calls()] == ["answer"] * 3 + [None] * 2
        assert {entry.client_id for entry in talend.token_calls()} == {account.client_id}

    def test_a_standing_fault_ends_when_it_is_cleared(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        talend.faults.add(Answer(503), times=None)
        assert [client.call_token_endpoint(account).status_code for _ in range(4)] == [503] * 4
        talend.faults.clear()
        assert client.call_token_endpoint(account).status_code == 200

    def test_leave_the_api_alone(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        access_token = client.get_token(account)
        talend.faults.add(Answer(503), times=None)
        assert client.call_api(access_token).status_code == 200

    def test_an_answer_has_any_status_body_and_headers(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        """`Retry-After` is seconds or a date (RFC 9110 section 10.2.3)."""
        moment = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
        talend.faults.add(Answer(429, "slow down", {"Retry-After": "2"}))
        talend.faults.add(Answer(599, b"\x00\xff", {"Retry-After": format_datetime(moment, usegmt=True)}))
        seconds, date = (client.call_token_endpoint(account) for _ in range(2))
        assert (seconds.status_code, seconds.text, seconds.headers["Retry-After"]) == (429, "slow down", "2")
        assert (date.status_code, date.content) == (599, b"\x00\xff")
        assert parsedate_to_datetime(date.headers["Retry-After"]) == moment

    @pytest.mark.parametrize(
        "value", [{"access_token": "", "token_type": "mac", "expires_in": -1}, {"access_token": 7}, [], None, "token"]
    )
    def test_any_json_can_be_the_answer(
        self, client: Client, talend: TalendSimulator, account: Account, value: object
    ) -> None:
        talend.faults.add(JsonAnswer(value))
        response = client.call_token_endpoint(account)
        assert (response.status_code, response.json()) == (200, value)

    def test_a_working_token_can_come_in_an_odd_answer(
        self, client: Client, talend: TalendSimulator, account: Account
    ) -> None:
        talend.faults.add(Amend({"token_type": "bearer", "scope": None}, without=("expires_in",)), times=2)
        members = client.call_token_endpoint(account).json()
        assert members.keys() == {"access_token", "token_type", "scope"}
        assert members["token_type"] == "bearer"
        assert client.call_api(members["access_token"]).status_code == 200
        refusal = client.call_token_endpoint(Account("unknown"))
        assert refusal.status_code == 401
        assert "token_type" not in refusal.json()

    def test_a_page_can_come_instead_of_json(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        talend.faults.add(HtmlAnswer())
        response = client.call_token_endpoint(account)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/html")
        assert response.text.startswith("<!DOCTYPE html>")

    def test_a_redirect_goes_where_it_is_told(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        talend.faults.add(Redirect("https://elsewhere.invalid/token", status=302))
        response = client.call_token_endpoint(account)
        assert (response.status_code, response.headers["Location"]) == (302, "https://elsewhere.invalid/token")

    @pytest.mark.parametrize(("keep_bytes", "expected"), [(None, slice(400, 800)), (0, slice(0, 1)), (9, slice(9, 10))])
    def test_json_can_be_truncated_in_a_complete_message(
        self, client: Client, talend: TalendSimulator, account: Account, keep_bytes: int | None, expected: slice
    ) -> None:
        talend.faults.add(Truncate(keep_bytes))
        response = client.call_token_endpoint(account)
        assert response.status_code == 200
        assert expected.start <= len(response.content) < expected.stop
        assert b'{"access_token": "'.startswith(response.content[:18])
        with pytest.raises(requests.exceptions.JSONDecodeError):
            response.json()

    @pytest.mark.parametrize("fault", [Close(), Reset()])
    def test_the_connection_can_end_without_an_answer(
        self, client: Client, talend: TalendSimulator, account: Account, fault: Fault
    ) -> None:
        """The work is done and its result lost: the token is issued, the client does not get it."""
        talend.faults.add(fault)
        with pytest.raises(requests.exceptions.ConnectionError):
            client.call_token_endpoint(account)
        (entry,) = talend.token_calls()
        assert (entry.status, entry.fault, entry.client_id) == (None, fault.kind, account.client_id)
        assert entry.token_sha256 is not None
        assert talend.tokens.revoke(entry.token_sha256)
        assert client.call_token_endpoint(account).status_code == 200

    @pytest.mark.parametrize("fault", [Close(after_body_bytes=10), Reset(after_body_bytes=10)])
    def test_the_connection_can_end_inside_the_body(
        self, client: Client, talend: TalendSimulator, account: Account, fault: Fault
    ) -> None:
        talend.faults.add(fault)
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
            client.call_token_endpoint(account)
        assert [entry.status for entry in talend.token_calls()] == [200]

    def test_an_ordinary_end_and_a_reset_differ_on_the_wire(self, talend: TalendSimulator, account: Account) -> None:
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
    def test_a_body_can_be_huge(
        self, client: Client, talend: TalendSimulator, account: Account, announced: bool
    ) -> None:
        talend.faults.add(Huge(body_bytes=200_000, announced=announced))
        response = client.call_token_endpoint(account)
        assert response.headers["Content-Type"] == "application/json"
        assert len(response.content) == 200_000
        assert len(response.json()["access_token"]) > 199_900
        assert ("Content-Length" in response.headers) == announced

    def test_a_client_may_leave_a_huge_body(self, talend: TalendSimulator, account: Account) -> None:
        talend.faults.add(Huge(body_bytes=10**15))
        threads = threading.active_count()
        with send_token_request(talend, account) as connection:
            assert connection.recv(100)
        wait_until(lambda: threading.active_count() == threads)

    def test_the_same_token_can_come_again_with_the_life_that_is_left(
        self, client: Client, talend: TalendSimulator, account: Account, clock: Clock
    ) -> None:
        talend.faults.add(SameToken(), times=None)
        first = client.get_token(account)
        talend.revoke(first)
        clock.now = START + 100.5
        again = client.call_token_endpoint(account)
        assert again.json() == {"access_token": first, "token_type": "Bearer", "expires_in": "1699"}
        assert len({entry.token_sha256 for entry in talend.token_calls()}) == 1
        assert client.get_token(talend.add_account()) != first
        clock.now = START + 1800
        assert client.get_token(account) != first

    @pytest.mark.parametrize("inside_body", [False, True])
    def test_an_answer_can_stall_until_it_is_released(
        self, client: Client, talend: TalendSimulator, account: Account, inside_body: bool
    ) -> None:
        talend.faults.add(Stall(inside_body=inside_body))
        with ThreadPoolExecutor(1) as executor:
            answer = executor.submit(client.call_token_endpoint, account)
            wait_until(lambda: talend.stalled == 1)
            assert not answer.done()
            assert [entry.fault for entry in talend.token_calls()] == ["stall"]
            assert talend.release() == 1
            access_token = answer.result(DEADLINE_SECONDS).json()["access_token"]
        assert client.call_api(access_token).status_code == 200
        assert talend.release() == 0

    def test_a_stall_sends_nothing_or_half_of_the_answer(self, talend: TalendSimulator, account: Account) -> None:
        """Nothing if it is before the answer, half if it is inside the body."""
        for inside_body in (False, True):
            talend.faults.add(Stall(inside_body=inside_body))
            with send_token_request(talend, account) as connection:
                wait_until(lambda: talend.stalled == 1)
                connection.setblocking(False)
                if inside_body:
                    head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
                    (length,) = re.findall(rb"Content-Length: (\d+)", head)
                    assert len(body) == int(length) // 2
                with pytest.raises(BlockingIOError):
                    connection.recv(1)
            wait_until(lambda: talend.stalled == 0)

    def test_a_stall_ends_when_the_client_leaves(self, talend: TalendSimulator, account: Account) -> None:
        talend.faults.add(Stall(), times=2)
        staying, leaving = (send_token_request(talend, account) for _ in range(2))
        with staying:
            wait_until(lambda: talend.stalled == 2)
            leaving.close()
            wait_until(lambda: talend.stalled == 1)

    def test_a_stall_ends_when_the_simulator_is_stopped(self, account: Account) -> None:
        with TalendSimulator([account]) as talend:
            talend.faults.add(Stall())
            connection = send_token_request(talend, account)
            wait_until(lambda: talend.stalled == 1)
        with connection:
            assert connection.recv(1) == b""

    def test_a_stall_can_be_released_with_a_request_waiting(self, talend: TalendSimulator, account: Account) -> None:
        """The next request of the connection is there already."""
        talend.faults.add(Stall())
        with send_token_request(talend, account) as connection, connection.makefile("rb") as answers:
            wait_until(lambda: talend.stalled == 1)
            connection.sendall(b"GET /account/users HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            connection.settimeout(0.1)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(DEADLINE_SECONDS)
            assert talend.release() == 1
            received = answers.read()
        assert re.findall(rb"HTTP/1\.1 (\d+)", received) == [b"200", b"401"]

    def test_stopping_ends_a_stall_with_a_request_waiting(self, account: Account) -> None:
        """The next request of the connection is there already."""
        with TalendSimulator([account]) as talend:
            talend.faults.add(Stall())
            connection = send_token_request(talend, account)
            wait_until(lambda: talend.stalled == 1)
            connection.sendall(b"GET /account/users HTTP/1.1\r\nHost: x\r\n\r\n")
        with connection:
            assert connection.recv(1) == b""

    def test_nothing_is_held_back_any_more_while_the_simulator_stops(self) -> None:
        stalls = Stalls()
        stalls.close()
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(ConnectionAbortedError):
            stalls.wait(ours, seconds=0)

    def test_a_body_can_drip(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        talend.faults.add(Drip(interval_seconds=0, chunk_bytes=50))
        assert client.call_api(client.get_token(account)).status_code == 200

    def test_a_drip_comes_piece_by_piece(self, talend: TalendSimulator, account: Account) -> None:
        talend.faults.add(Drip(interval_seconds=3600, chunk_bytes=8))
        with send_token_request(talend, account) as connection, connection.makefile("rb") as answer:
            while answer.readline().strip():
                continue
            for expected in (b'{"access', b'_token":'):
                wait_until(lambda: talend.stalled == 1)
                talend.release()
                assert answer.read(8) == expected
        wait_until(lambda: talend.stalled == 0)

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Answer(199),
            lambda: Answer(600),
            lambda: Drip("slow"),  # type: ignore[arg-type]
            lambda: Answer("503"),  # type: ignore[arg-type]
            lambda: Answer(503, headers=[]),  # type: ignore[arg-type]
            lambda: Amend(without="expires_in"),  # type: ignore[arg-type]
            lambda: Drip(chunk_bytes=0),
            lambda: Truncate("half"),  # type: ignore[arg-type]
        ],
    )
    def test_a_fault_that_makes_no_sense_is_refused_when_it_is_made(self, make: Callable[[], Fault]) -> None:
        with pytest.raises(ValueError, match="must be"):
            make()

    def test_a_fault_is_for_one_request_or_more(self, talend: TalendSimulator) -> None:
        with pytest.raises(ValueError, match="times"):
            talend.faults.add(Answer(503), times=0)


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("speed", [1, 1.5, 1800]),
            ("clock_error_seconds", [-86_400, 0, 86_400]),
            ("expires_in", ["string", "number", "absent", "nonsense"]),
            ("revoke_on_issue", [True, False]),
            ("unauthorized", ["message", "detail", "empty", "rotating"]),
            ("requests_per_minute", [0, 60, None]),
            ("api_seconds", [0, 0.5, 600]),
        ],
    )
    def test_each_documented_value_is_taken(self, name: str, values: list[Any]) -> None:
        settings = Settings()
        for value in values:
            settings.change({name: value})
            assert getattr(settings, name) == value

    @pytest.mark.parametrize(
        "changes",
        [
            {"speed": 0.5},
            {"speed": 1801},
            {"speed": float("nan")},
            {"speed": True},
            {"clock_error_seconds": 1.5},
            {"expires_in": "soon"},
            {"revoke_on_issue": 1},
            {"unauthorized": "html"},
            {"requests_per_minute": -1},
            {"api_seconds": -1},
            {"api_seconds": float("inf")},
            {"api_seconds": "1"},
            {"patience": 1},
        ],
    )
    def test_a_wrong_change_is_refused_whole(self, changes: dict[str, Any]) -> None:
        settings = Settings()
        (name,) = changes
        with pytest.raises(ValueError, match=name):
            settings.change({"clock_error_seconds": 7, **changes})
        assert settings == Settings()


class TestControl:
    """The JSON API for tests in another process."""

    def test_adds_replaces_lists_and_removes_accounts(self, client: Client) -> None:
        account = Account("id/with?odd#letters", "right", ("TMC_ENGINE_USE",), "robot")
        members = {"client_secret": "right", "permissions": ["TMC_ENGINE_USE"], "name": "robot"}
        path = "accounts/id%2Fwith%3Fodd%23letters"
        shown = {"client_id": account.client_id, "permissions": ["TMC_ENGINE_USE"], "name": "robot"}
        assert client.control("PUT", path, members) == shown
        assert client.control("GET", "accounts") == {"accounts": [shown]}
        assert claims_of(client.get_token(account))["permissions"] == ["TMC_ENGINE_USE"]
        client.control("PUT", path, {"client_secret": "other"})
        assert client.call_token_endpoint(account).status_code == 401
        assert client.control("DELETE", path) is None
        assert client.session.delete(f"{client.url}/_simulator/{path}").status_code == 404
        assert client.control("GET", "accounts") == {"accounts": []}

    def test_revokes_tokens(self, client: Client, account: Account) -> None:
        first, second, third = (client.get_token(account) for _ in range(3))
        assert client.control("DELETE", f"tokens/{fingerprint(first)}") == {"revoked": 1}
        assert client.control("DELETE", f"tokens/{fingerprint(first)}") == {"revoked": 0}
        assert [client.call_api(token).status_code for token in (first, second, third)] == [401, 200, 200]
        assert client.control("DELETE", f"accounts/{account.client_id}/tokens") == {"revoked": 2}
        assert [client.call_api(token).status_code for token in (second, third)] == [401, 401]

    def test_shows_and_changes_settings(self, client: Client, talend: TalendSimulator) -> None:
        shown = client.control("PATCH", "settings", {"speed": 60, "requests_per_minute": 5})
        assert shown == client.control("GET", "settings")
        assert (shown["speed"], shown["requests_per_minute"], shown["revoke_on_issue"]) == (60, 5, False)
        assert (talend.settings.speed, talend.settings.requests_per_minute) == (60, 5)

    def test_queues_lists_and_clears_faults(self, client: Client, account: Account) -> None:
        headers = {"Retry-After": "2"}
        queued: list[dict[str, Any]] = [
            {"kind": "answer", "status": 503, "headers": headers, "body": "later", "times": 2},
            {"kind": "amend", "without": ["expires_in"]},
            {"kind": "json", "value": [1], "status": 200, "times": None},
        ]
        for members in queued:
            assert client.control("POST", "faults", members) is None
        waiting = [{"kind": members["kind"], "times": members.get("times", 1)} for members in queued]
        assert client.control("GET", "faults") == {"faults": waiting, "stalled": 0}
        busy, busy_again, amended, *literal = (client.call_token_endpoint(account) for _ in range(5))
        assert (busy.status_code, busy.text, busy.headers["Retry-After"]) == (503, "later", "2")
        assert busy_again.status_code == 503
        assert amended.json().keys() == {"access_token", "token_type"}
        assert [answer.json() for answer in literal] == [[1], [1]]
        assert client.control("DELETE", "faults") is None
        assert client.call_api(client.get_token(account)).status_code == 200

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "answer", "status": 503},
            {"kind": "json", "value": None},
            {"kind": "html", "status": 502},
            {"kind": "redirect", "location": "https://elsewhere.invalid", "status": 308},
            {"kind": "same_token"},
            {"kind": "amend", "members": {"token_type": "mac"}},
            {"kind": "truncate", "keep_bytes": 9},
            {"kind": "stall", "inside_body": True},
            {"kind": "drip", "interval_seconds": 1, "chunk_bytes": 7},
            {"kind": "close", "after_body_bytes": 9},
            {"kind": "reset", "after_body_bytes": None},
            {"kind": "huge", "body_bytes": 99, "announced": False},
        ],
        ids=lambda fault: fault["kind"],
    )
    def test_names_every_kind_of_fault(self, client: Client, talend: TalendSimulator, fault: dict[str, Any]) -> None:
        client.control("POST", "faults", fault)
        ((waiting, times),) = talend.faults.waiting()
        assert {"kind": waiting.kind, **{name: getattr(waiting, name) for name in fault if name != "kind"}} == fault
        assert times == 1

    def test_releases_stalled_answers(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        client.control("POST", "faults", {"kind": "stall"})
        with send_token_request(talend, account) as connection:
            wait_until(lambda: client.control("GET", "faults")["stalled"] == 1)
            assert client.control("POST", "faults/release") == {"released": 1}
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")

    def test_shows_and_forgets_the_journal(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        access_token = client.get_token(account)
        client.call_api(access_token)
        _, second = client.control("GET", "journal")["entries"]
        assert second == {
            "sequence": 2,
            "time": START,
            "method": "GET",
            "path": PROBE_PATH,
            "status": 200,
            "client_id": account.client_id,
            "token_sha256": fingerprint(access_token),
            "fault": None,
        }
        assert client.control("GET", "journal?after=1") == {"entries": [second]}
        assert client.control("DELETE", "journal") is None
        assert client.control("GET", "journal") == {"entries": []}
        assert len(talend.journal) == 0

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PUT", "accounts/id", {}),
            ("PUT", "accounts/id", {"client_secret": 7}),
            ("PUT", "accounts/id", {"client_secret": ""}),
            ("PUT", "accounts/id", {"client_secret": "x", "permissions": "all"}),
            ("PUT", "accounts/id", {"client_secret": "x", "permissions": [7]}),
            ("PUT", "accounts/id", {"client_secret": "x", "colour": "red"}),
            ("PUT", "accounts/a:b", {"client_secret": "x"}),
            ("PUT", "accounts/id", ["x"]),
            ("PATCH", "settings", {"speed": 0}),
            ("PATCH", "settings", {"colour": "red"}),
            ("POST", "faults", {}),
            ("POST", "faults", {"kind": "earthquake"}),
            ("POST", "faults", {"kind": ["answer"]}),
            ("POST", "faults", {"kind": "answer"}),
            ("POST", "faults", {"kind": "answer", "status": 503, "colour": "red"}),
            ("POST", "faults", {"kind": "answer", "status": "503"}),
            ("POST", "faults", {"kind": "answer", "status": 503, "times": "2"}),
            ("POST", "faults", {"kind": "answer", "status": 503, "times": 0}),
            ("GET", "journal?after=yesterday", None),
        ],
    )
    def test_refuses_a_wrong_request_and_says_why(
        self, client: Client, talend: TalendSimulator, method: str, path: str, body: object
    ) -> None:
        response = client.session.request(method, f"{client.url}/_simulator/{path}", json=body)
        assert response.status_code == 400
        assert response.json()["message"]
        assert not talend.accounts.all()
        assert not talend.faults.waiting()
        assert talend.settings == Settings()

    @pytest.mark.parametrize(("method", "path"), [("GET", "nothing"), ("PUT", "faults"), ("POST", "accounts")])
    def test_knows_nothing_else(self, client: Client, method: str, path: str) -> None:
        assert client.session.request(method, f"{client.url}/_simulator/{path}").status_code == 404


class TestServer:
    def test_keeps_a_connection_for_the_next_request(self, talend: TalendSimulator) -> None:
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
    def test_a_kept_connection_can_be_broken(
        self, client: Client, talend: TalendSimulator, account: Account, how: Broken, failure: type[Exception]
    ) -> None:
        client.get_token(account)
        assert talend.break_kept(how) == 1
        with pytest.raises(failure):
            client.call_token_endpoint(account, timeout=0.2)
        assert len(talend.token_calls()) == 1, "the request never arrived"
        client.get_token(account)

    def test_a_kept_connection_can_be_closed(self, client: Client, talend: TalendSimulator, account: Account) -> None:
        with client.call_token_endpoint(account, stream=True) as response:
            ended = response.raw.connection.sock
            assert response.content
            assert talend.break_kept(Broken.CLOSED) == 1
            assert ended.recv(1) == b""
        client.get_token(account)
        assert talend.break_kept(Broken.RESET) == 1

    def test_serves_many_clients_at_once(self, talend: TalendSimulator, account: Account) -> None:
        together = threading.Barrier(100)

        def ask(_: int) -> bytes:
            together.wait(DEADLINE_SECONDS)
            with send_token_request(talend, account) as connection:
                return connection.recv(65_536)

        with ThreadPoolExecutor(100) as executor:
            answers = list(executor.map(ask, range(100)))
        assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 200 OK"}
        calls = talend.token_calls()
        assert sorted(entry.sequence for entry in calls) == list(range(1, 101))
        assert len({entry.token_sha256 for entry in calls}) == 100

    def test_a_herd_can_connect_while_nobody_is_served_yet(self) -> None:
        talend = TalendSimulator()
        connections = [connect(talend) for _ in range(100)]
        talend.start()
        for connection in connections:
            with connection:
                connection.sendall(b"GET /account/users HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
        talend.stop()

    def test_listens_on_one_loopback_address_only(self, talend: TalendSimulator) -> None:
        assert urlsplit(talend.url).hostname == "127.0.0.1"
        # Another address of the same interface: a server that listens on all of them would answer.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", urlsplit(talend.url).port or 0), DEADLINE_SECONDS)

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            ("Content-Length: 1000000000", b"413"),
            ("Content-Length: " + 5000 * "9", b"413"),
            ("Content-Length: -1", b"400"),
            ("Content-Length: many", b"400"),
            ("Transfer-Encoding: chunked", b"411"),
        ],
    )
    def test_refuses_a_body_that_it_will_not_read(self, talend: TalendSimulator, header: str, status: bytes) -> None:
        with connect(talend) as connection, connection.makefile("rb") as answer:
            connection.sendall(f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
            head = answer.read().partition(b"\r\n\r\n")[0]
            assert head.split(b" ")[1] == status
            assert b"\r\nConnection: close" in head

    @pytest.mark.parametrize("fault", [None, Drip(interval_seconds=0)])
    def test_an_answer_to_head_has_no_body(self, talend: TalendSimulator, fault: Fault | None) -> None:
        if fault:
            talend.faults.add(fault)
        with connect(talend) as connection, connection.makefile("rb") as answers:
            connection.sendall(f"HEAD {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            head, _, body = answers.read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
        assert body == b""

    def test_refuses_a_target_that_is_no_url(self, talend: TalendSimulator) -> None:
        with connect(talend) as connection, connection.makefile("rb") as answer:
            connection.sendall(b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answer.read().split(b" ")[1] == b"400"

    def test_a_client_that_leaves_inside_its_request_is_not_served(self, talend: TalendSimulator) -> None:
        with connect(talend) as connection:
            connection.sendall(f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{".encode())
        talend.stop()
        assert len(talend.journal) == 0

    def test_a_defect_of_its_own_is_reported(
        self, http_session: requests.Session, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def broken_clock() -> float:
            raise RuntimeError("the clock is broken")

        with TalendSimulator(clock=broken_clock) as talend:
            client = Client(http_session, talend.url)
            with pytest.raises(requests.exceptions.ConnectionError):
                client.call_token_endpoint(talend.add_account())
        assert "the clock is broken" in capfd.readouterr().err

    def test_stopping_ends_connections_and_threads_and_frees_the_port(self, account: Account) -> None:
        threads = threading.active_count()
        with TalendSimulator([account]) as talend:
            port = urlsplit(talend.url).port or 0
            idle = connect(talend)
            idle.sendall(b"GET /account/users HTTP/1.1\r\nHost: x\r\n\r\n")
            assert idle.recv(65_536).startswith(b"HTTP/1.1 401")
            with pytest.raises(OSError, match="in use"):
                TalendSimulator(port=port)
        with idle:
            assert idle.recv(1) == b""
        wait_until(lambda: threading.active_count() == threads)
        with TalendSimulator(port=port) as again:
            assert again.url == talend.url


class TestProcess:
    """`python -m talend_simulator`, for tests and people that want it apart."""

    COMMAND = (sys.executable, "-m", "talend_simulator")
    ENVIRONMENT = MappingProxyType({**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1] / "support")})

    @pytest.fixture
    def process(self) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [*self.COMMAND, "--port", "0", "--speed", "60"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.ENVIRONMENT,
        ) as process:
            yield process
            process.kill()

    def test_says_where_it_is_serves_and_ends_with_its_standard_input(
        self, process: subprocess.Popen[str], http_session: requests.Session
    ) -> None:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready.keys() == {"url"}
        client = Client(http_session, ready["url"])
        account = Account()
        client.control("PUT", f"accounts/{account.client_id}", {"client_secret": account.client_secret})
        response = client.call_token_endpoint(account)
        assert response.json()["expires_in"] == "30"
        assert client.call_api(response.json()["access_token"]).status_code == 200
        rest, errors = process.communicate(timeout=DEADLINE_SECONDS)
        assert (process.returncode, rest, errors) == (0, "", "")
        with pytest.raises(requests.exceptions.ConnectionError):
            client.call_api("any")

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_ends_in_order_on_a_signal(self, process: subprocess.Popen[str], number: signal.Signals) -> None:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(DEADLINE_SECONDS) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""

    @pytest.mark.parametrize("option", [("--speed", "0"), ("--port", "PORT"), ("--port", "70000"), ("--clock", "x")])
    def test_refuses_options_that_it_cannot_follow(self, talend: TalendSimulator, option: tuple[str, str]) -> None:
        port = str(urlsplit(talend.url).port)
        done = subprocess.run(
            [*self.COMMAND, *(part.replace("PORT", port) for part in option)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=self.ENVIRONMENT,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines()[-1].startswith("python -m talend_simulator: error: ")

    def test_refuses_to_run_without_a_standard_input(self) -> None:
        """Its end is what ends the simulator when the process that started it is killed."""
        done = subprocess.run(
            ["sh", "-c", 'exec "$0" "$@" <&-', *self.COMMAND],
            capture_output=True,
            text=True,
            env=self.ENVIRONMENT,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert "standard input is closed" in done.stderr
