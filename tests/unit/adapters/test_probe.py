"""A new token is probed over real HTTP: 2xx and 403 accept it, 401 rejects it, and the rest is unknown."""

import select

import pytest
import requests

from doubles import Clock, raw_server, read_request
from rotator.adapters.probe import HttpProbe
from rotator.ports import Verdict
from talend_simulator import Account, Answer, Close, Redirect, Stall, TalendSimulator
from talend_simulator.accounts import USE_ENGINES
from talend_token.document import TokenDocument

# The simulator's faults only affect the token endpoint, so it is used as the probed path.
FAULTY = "/security/oauth/token"


@pytest.fixture
def talend():
    with TalendSimulator() as simulator:
        yield simulator


@pytest.fixture
def probe():
    return HttpProbe(clock=Clock())


def document(api_url, value="hunter2"):
    return TokenDocument(value, "Bearer", 0, 1800, api_url)


def issued(talend, **account):
    """Return the token that a client gets for an account."""
    pair = tuple(talend.add_account(Account(**account)).credentials.split(":", 1))
    body = {"audience": talend.url, "grant_type": "client_credentials"}
    answer = requests.post(talend.token_url, auth=pair, json=body, timeout=5).json()
    return document(talend.url, answer["access_token"])


def ask(probe, document, path="/account/users", seconds=30.0):
    return probe.probe(document, path, probe.clock() + seconds)


@pytest.mark.parametrize(
    ("account", "verdict", "status"),
    [
        ({}, Verdict.ACCEPTED, 200),
        # It lacks a right.
        ({"permissions": (USE_ENGINES,)}, Verdict.ACCEPTED, 403),
        # The API does not know the token.
        (None, Verdict.REJECTED, 401),
    ],
)
def test_the_apis_answer_is_the_verdict(talend, probe, account, verdict, status):
    tried = document(talend.url) if account is None else issued(talend, **account)
    probed = ask(probe, tried)
    assert (probed.verdict, probed.url) == (verdict, f"{talend.url}/account/users")
    assert probed.detail == f"{talend.url}/account/users answered {status}"
    assert [entry.method for entry in talend.journal.entries()][-1] == "GET"


@pytest.mark.parametrize("status", [200, 204, 299, 403])
def test_a_success_and_a_missing_right_accept_the_token(talend, probe, status):
    talend.faults.add(Answer(status), times=1)
    assert ask(probe, document(talend.url), FAULTY).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [300, 400, 402, 404, 405, 429, 500, 503])
def test_any_other_status_is_unknown(talend, probe, status):
    talend.faults.add(Answer(status), times=1)
    probed = ask(probe, document(talend.url), FAULTY)
    hint = ", so this path does not exist" if status == 404 else ""
    assert (probed.verdict, probed.detail) == (Verdict.UNKNOWN, f"{talend.url}{FAULTY} answered {status}{hint}")


def test_a_redirect_is_not_followed_so_the_token_stays_with_its_api(talend, probe):
    with TalendSimulator() as elsewhere:
        talend.faults.add(Redirect(f"{elsewhere.url}/account/users"), times=1)
        probed = ask(probe, document(talend.url), FAULTY)
        assert (probed.verdict, probed.detail[-3:]) == (Verdict.UNKNOWN, "307")
        assert list(elsewhere.journal) == []


def test_the_body_is_not_read(probe):
    def serve(connection):
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            connection.sendall(b"a" * 65_536)

    with raw_server(serve) as url:
        assert ask(probe, document(url), seconds=5).verdict is Verdict.ACCEPTED


def test_a_silent_api_is_abandoned_well_before_the_deadline(probe, monkeypatch):
    monkeypatch.setattr("rotator.adapters.probe._READ_SECONDS", 0.1)

    def serve(connection):
        read_request(connection)
        # Wait until the client disconnects, or for a while.
        select.select([connection], [], [], 3)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with raw_server(serve) as url:
        probed = ask(probe, document(url))
    assert probed.verdict is Verdict.UNKNOWN
    assert probed.detail == f"{url}/account/users could not be reached (ReadTimeout)"


@pytest.mark.parametrize("fault", [Close(), Stall()])
def test_an_unanswered_probe_is_unknown_and_not_repeated(talend, probe, fault):
    talend.faults.add(fault, times=9)
    probed = ask(probe, document(talend.url), FAULTY, seconds=0.51)
    assert (probed.verdict, probed.url) == (Verdict.UNKNOWN, f"{talend.url}{FAULTY}")
    assert "could not be reached" in probed.detail
    assert len(talend.journal.entries()) == 1


@pytest.mark.parametrize("seconds", [0.4, -5])
def test_without_time_for_an_answer_the_api_is_not_asked(talend, probe, seconds):
    probed = ask(probe, document(talend.url), seconds=seconds)
    assert (probed.verdict, probed.url) == (Verdict.UNKNOWN, f"{talend.url}/account/users")
    assert probed.detail == f"{talend.url}/account/users was not requested, because no time was left"
    assert list(talend.journal) == []


def test_with_just_enough_time_for_an_answer_the_api_is_asked(talend, probe):
    ask(probe, document(talend.url), seconds=0.5)
    assert [entry.path for entry in talend.journal.entries()] == ["/account/users"]


def test_a_netrc_file_does_not_take_the_tokens_place(talend, probe, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert ask(probe, issued(talend)).verdict is Verdict.ACCEPTED


def test_no_error_shows_the_token(talend, probe):
    shown = [ask(probe, document(talend.url)), ask(probe, document("http://127.0.0.1:1"))]
    assert not any("hunter2" in repr(probed) for probed in shown)
