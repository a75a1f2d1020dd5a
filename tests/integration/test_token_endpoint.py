"""Tokens are requested over real HTTP, from the Talend simulator with its faults."""

import gzip
import json
import re
import select
import zlib

import pytest

from doubles import Clock, raw_server, read_request
from doubles.tls_server import tls_context
from rotator.adapters.bounded_http import BoundedSession
from rotator.adapters.token_endpoint import HttpTokenEndpoint
from rotator.domain.credentials import Credentials
from rotator.domain.errors import CredentialsRefused, InvalidTokenResponse, TokenUnavailable
from talend_simulator import Account, Answer, Close, Huge, Redirect, Reset, TalendSimulator

SECRET_ID = "talend-token/default/credentials"
SECRET = "hunter2:with a colon"
REFUSALS, RETRIED = (400, 401, 403), (429, 500, 502, 503, 504)


def credentials(url):
    return Credentials(SECRET_ID, "version-1", "abc", SECRET, url)


@pytest.fixture
def talend():
    with TalendSimulator([Account("abc", SECRET)]) as simulator:
        yield simulator


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def endpoint(clock):
    return HttpTokenEndpoint(clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)


@pytest.fixture
def answered():
    """Start a server that sends the same octets after each request, which it records."""

    def serving(octets, slowly=b""):
        def serve(connection):
            requests_seen.append(read_request(connection).decode())
            connection.sendall(octets)
            for octet in slowly:
                select.select([connection], [], [], 0.01)
                connection.sendall(bytes([octet]))

        return raw_server(serve)

    requests_seen = serving.requests = []
    return serving


def test_the_validity_counts_from_the_request(endpoint, clock):
    """An answer that takes long does not make the token valid for longer."""
    asked_at = clock()

    def serve(connection):
        read_request(connection)
        clock.advance(seconds=9)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with raw_server(serve) as url:
        assert request(endpoint, url).requested_at == asked_at


def request(endpoint, url, seconds=30.0):
    return endpoint.request_token(credentials(url), endpoint.clock() + seconds)


def statuses(talend):
    return [call.status for call in talend.token_calls()]


def test_a_token_is_issued_for_the_documented_call(talend, endpoint, clock, tmp_path, monkeypatch):
    """Entries of a netrc file do not replace the credentials."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login mine password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    response = request(endpoint, talend.url)
    members = json.loads(response.body)
    assert members["access_token"].count(".") == 2
    assert members["expires_in"] == "1800"
    assert response.credentials == credentials(talend.url)
    assert response.requested_at == clock()
    assert [(call.method, call.status, call.client_id) for call in talend.token_calls()] == [("POST", 200, "abc")]


def test_the_request_asks_for_json_as_it_is(endpoint, answered):
    with answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url:
        assert request(endpoint, url).body == b"{}"
    head, _, body = answered.requests[0].partition("\r\n\r\n")
    start, *headers = head.split("\r\n")
    assert start == "POST /security/oauth/token HTTP/1.1"
    assert {"Accept: application/json", "Accept-Encoding: identity", "Content-Type: application/json"} < set(headers)
    assert json.loads(body) == {"audience": url, "grant_type": "client_credentials"}


@pytest.mark.parametrize("fault", [*map(Answer, RETRIED), Close(), Reset(), Close(after_body_bytes=10)])
def test_a_passing_failure_is_tried_again_with_growing_delays(talend, endpoint, clock, fault):
    talend.faults.add(fault, times=2)
    request(endpoint, talend.url)
    assert statuses(talend)[2:] == [200]
    assert clock.slept == [0.5, 1.0]


@pytest.mark.parametrize(
    ("seconds", "retry_after", "slept"),
    [
        (30, None, [0.5, 1.0, 2.0]),
        (30, "7", [7.0, 7.0, 7.0]),
        # An attempt that would begin at the deadline or later is not waited for.
        (1.2, None, [0.5]),
        (0.5, None, []),
        (30, "3600", []),
    ],
)
def test_a_lasting_failure_is_retried_until_the_deadline(talend, endpoint, clock, seconds, retry_after, slept):
    headers = {"Retry-After": retry_after} if retry_after else {}
    talend.faults.add(Answer(503, headers=headers), times=99)
    attempts = len(slept) + 1
    with pytest.raises(TokenUnavailable, match=f"after {attempts} attempts" if slept else "answered 503 for") as caught:
        request(endpoint, talend.url, seconds=seconds)
    assert (caught.value.status, caught.value.attempts, caught.value.retry_after) == (503, attempts, retry_after)
    assert (caught.value.url, caught.value.secret_id) == (talend.token_url, SECRET_ID)
    assert clock.slept == slept
    assert len(talend.token_calls()) == attempts


REFUSED = f"{SECRET_ID}.* Check the ID, the secret"
NOT_TALEND = "Check that the API URL is the base"
TOO_LONG = "more than 262144 bytes"


def encoded(encoding, body=b"\x1f\x8b"):
    return Answer(200, body=body, headers={"Content-Encoding": encoding})


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        *[(Answer(code), CredentialsRefused, f"answered {code} after 2 attempts for .*{REFUSED}") for code in REFUSALS],
        *[
            (Answer(code), InvalidTokenResponse, f"answered {code} after 2 attempts for .*{NOT_TALEND}")
            for code in (201, 204, 404, 405, 501)
        ],
        (Redirect("http://127.0.0.1:1/"), InvalidTokenResponse, "answered 307"),
        *[(Huge(10_000_000, announced), InvalidTokenResponse, TOO_LONG) for announced in (True, False)],
        # Compressions that cannot be undone here.
        (encoded("br"), InvalidTokenResponse, "in the encoding br for"),
        (encoded("hunter2, br"), InvalidTokenResponse, "in the encoding br for"),
        (encoded("ZSTD"), InvalidTokenResponse, "in the encoding zstd for"),
        (encoded("compress"), InvalidTokenResponse, "in the encoding compress for"),
        (encoded("gzip,x-compress"), InvalidTokenResponse, "in the encoding x-compress for"),
        (encoded("gzip", b"not gzip at all"), InvalidTokenResponse, "a body that cannot be decompressed for"),
        (encoded("gzip", gzip.compress(b" " * 50_000_000)), InvalidTokenResponse, TOO_LONG),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_final_answer_is_not_requested_again(talend, endpoint, fault, error, message):
    talend.faults.add(Answer(503), times=1)
    talend.faults.add(fault, times=1)
    with pytest.raises(error, match=message) as caught:
        request(endpoint, talend.url)
    assert statuses(talend) == [503, caught.value.status]
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("utf-8, GZIP , none", gzip.compress),
        # These are not compressions.
        *[(encoding, bytes) for encoding in ("identity", "Identity", "utf-8", "none", "", "UTF-8, identity")],
    ],
)
def test_the_longest_body_is_read_in_an_unrequested_encoding(talend, endpoint, encoding, compress):
    body = bytes(octet % 251 for octet in range(262_144))
    talend.faults.add(encoded(encoding, compress(body)), times=1)
    assert request(endpoint, talend.url).body == body


CODES = "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type invalid_scope"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        *[(f'{{"error": "{code}", "error_description": "hunter2"}}', f" ({code})") for code in CODES.split()],
        ("", ""),
        ("invalid_client", ""),
        ("[]", ""),
        ('{"error": "hunter2"}', ""),
        ('{"error": ["invalid_client"]}', ""),
        ('{"error": "invalid_client hunter2"}', ""),
        ('{"error": "INVALID_CLIENT"}', ""),
        ('{"errors": "invalid_client"}', ""),
        ('{"error": "invalid_client"}' + " " * 300_000, ""),
        ("[" * 100_000, ""),
        ("gzip", ""),
    ],
    ids=lambda value: value[:40],
)
def test_a_registered_error_code_is_shown_and_nothing_else(talend, endpoint, body, shown):
    headers = {"Content-Encoding": "gzip"} if body == "gzip" else {}
    talend.faults.add(Answer(401, body=body, headers=headers), times=1)
    with pytest.raises(CredentialsRefused, match=re.escape(f"answered 401{shown} for the credentials")) as caught:
        request(endpoint, talend.url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"", TokenUnavailable),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", TokenUnavailable),
        (b"HTTP/1.1 401 No\r\nContent-Length: 500\r\n\r\n", CredentialsRefused),
    ],
    ids=["head", "body", "body of a refusal"],
)
def test_a_server_that_drips_is_left_at_the_deadline(endpoint, answered, said, error):
    slowly = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"X-Slow: 1\r\n" * 20 + b"\r\n{}" + b" " * 300
    with answered(said, slowly) as url, pytest.raises(error, match=r"Time|answered 401 for"):
        request(endpoint, url, seconds=0.2)


def test_a_silent_server_gets_another_request_before_the_deadline(endpoint, monkeypatch):
    monkeypatch.setattr("rotator.adapters.token_endpoint._READ_SECONDS", 0.1)
    calls = []

    def serve(connection):
        calls.append(read_request(connection))
        if len(calls) == 1:
            # Wait until the client disconnects, or for a while.
            select.select([connection], [], [], 3)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with raw_server(serve) as url:
        assert request(endpoint, url).body == b"{}"
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"", "ConnectionError"),
        (b'{"access_token": "HTTP/0.9"}', "ConnectionError"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Many: 1\r\n" * 200 + b"\r\n{}", "ConnectionError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}", "InvalidHeader"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "ProtocolError"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}", "ProtocolError"),
    ],
    ids=["nothing", "no head", "many headers", "two lengths", "too short", "negative chunk"],
)
def test_an_answer_that_is_not_http_is_retried_and_named_by_type(endpoint, answered, said, kind):
    with answered(said) as url, pytest.raises(TokenUnavailable, match=rf"\({kind}\) after 4 attempts"):
        request(endpoint, url)
    assert len(answered.requests) == 4


@pytest.mark.parametrize(
    ("url", "kind"),
    [("http://127.0.0.1:1", "NewConnectionError"), ("https://no-such-host.invalid", "NameResolutionError")],
)
def test_a_host_that_cannot_be_reached_is_named_with_the_reason(endpoint, url, kind):
    with pytest.raises(TokenUnavailable, match=kind) as caught:
        request(endpoint, url)
    assert (caught.value.url, caught.value.secret_id) == (f"{url}/security/oauth/token", SECRET_ID)
    assert caught.value.__context__ is None


def test_a_failure_without_a_message_is_reported_by_its_type(clock):
    class Dead(BoundedSession):
        def send(self, *_, **__):
            raise ConnectionAbortedError

    dead = HttpTokenEndpoint(Dead(), clock, clock.sleep, lambda: 1.0)
    with pytest.raises(TokenUnavailable, match=r"could not be reached \(ConnectionAbortedError\) after 4 attempts"):
        request(dead, "http://127.0.0.1:1")


def test_a_certificate_of_an_unknown_authority_is_refused(endpoint, tmp_path):
    server = raw_server(lambda _: None, tls_context(tmp_path))
    with server as url, pytest.raises(TokenUnavailable, match="SSLError"):
        request(endpoint, url)
