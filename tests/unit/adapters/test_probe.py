"""A new token is probed over real HTTP: 2xx and 403 accept it, 401 rejects it, and the rest is unknown."""

import select

import pytest

from doubles import Clock, raw_server, read_request
from rotator.adapters import probe as probe_module
from rotator.adapters.probe import HttpProbe
from rotator.ports import Verdict
from talend_token.document import TokenDocument

PATH = "/account/users"


@pytest.fixture
def requests():
    """The requests that the API got."""
    return []


@pytest.fixture
def api(requests):
    """Return a server with a status for every request, a redirect, and a body without an end."""

    def api(status=200):
        def serve(connection):
            requests.append(read_request(connection))
            headers = b"Location: http://127.0.0.1:1/\r\nContent-Length: 99999999999\r\n\r\n"
            connection.sendall(b"HTTP/1.1 %d X\r\n" % status + headers)
            while True:
                connection.sendall(b"a" * 65_536)

        return raw_server(serve)

    return api


def ask(api_url, seconds=30.0):
    """Return the verdict and the detail, without the URL that all of them begin with."""
    clock = Clock()
    document = TokenDocument("hunter2", "Bearer", 0, 1800, api_url)
    probed = HttpProbe(clock=clock).probe(document, PATH, clock() + seconds)
    assert probed.url == f"{api_url}{PATH}"
    assert "hunter2" not in repr(probed)
    assert probed.detail.startswith(f"{api_url}{PATH} ")
    return probed.verdict, probed.detail.removeprefix(f"{api_url}{PATH} ")


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *((status, Verdict.ACCEPTED) for status in (200, 204, 299, 403)),
        (401, Verdict.REJECTED),
        *((status, Verdict.UNKNOWN) for status in (300, 307, 400, 402, 404, 405, 429, 500, 503)),
    ],
)
def test_the_status_is_the_verdict_without_redirect_or_body(api, status, verdict):
    hint = ", so this path does not exist" if status == 404 else ""
    with api(status) as url:
        assert ask(url) == (verdict, f"answered {status}{hint}")


def test_the_token_is_sent_whatever_a_netrc_file_has(api, requests, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login other password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with api() as url:
        ask(url)
    (request,) = requests
    assert request.startswith(b"GET /account/users HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer hunter2\r\n" in request
    assert b"\r\ntalend-version: 2021-03\r\n" in request


def close(_):
    """Leave the request unanswered."""


def stall(connection):
    """Answer after three seconds."""
    select.select([connection], [], [], 3)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def drip(connection):
    """Answer an octet at a time, so that no single wait is long."""
    for octet in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
        select.select([connection], [], [], 0.1)
        connection.sendall(bytes([octet]))


@pytest.mark.parametrize(
    ("act", "seconds", "read_seconds", "problem"),
    [
        (close, 30, 5, "ConnectionError"),
        (stall, 0.51, 5, "ReadTimeout"),
        (drip, 0.51, 5, "ReadTimeout"),
        (stall, 30, 0.1, "ReadTimeout"),
    ],
)
def test_an_unanswered_probe_is_unknown_and_not_repeated(monkeypatch, act, seconds, read_seconds, problem):
    monkeypatch.setattr(probe_module, "_READ_SECONDS", read_seconds)
    requests = []

    def serve(connection):
        requests.append(read_request(connection))
        act(connection)

    with raw_server(serve) as url:
        assert ask(url, seconds) == (Verdict.UNKNOWN, f"could not be reached ({problem})")
    assert len(requests) == 1


@pytest.mark.parametrize(("seconds", "asked"), [(0.5, True), (0.4, False), (-5, False)])
def test_without_time_for_an_answer_the_api_is_not_asked(api, requests, seconds, asked):
    with api() as url:
        _, detail = ask(url, seconds)
    assert (detail == "was not requested, because no time was left") is not asked
    assert bool(requests) is asked
