"""Every exchange ends at its time limit. The tests use real sockets, and limits of a fraction of a second.

Each server here would answer well after many such limits: a limit that is not kept shows as an answer.
"""

import select
import socket
import threading
import time
from contextlib import ExitStack

import pytest
import requests
import urllib3
from urllib3.util.connection import create_connection

from doubles import Clock, raw_server, read_request
from doubles.tls_server import tls_context
from rotator.adapters import bounded_http
from rotator.adapters.bounded_http import BoundedSession, time_limit

LIMIT_SECONDS = 0.15
PATIENCE_SECONDS = 2
# More than both ends of a connection hold while nothing is read.
MUCH = b"a" * 2_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
# The operating system's words, or ours if the limit passed before a call of it.
TIMED_OUT = r"timed out|the time limit has passed"
TIME_OUTS = (requests.Timeout, requests.ConnectionError, urllib3.exceptions.TimeoutError)


@pytest.fixture
def session():
    with BoundedSession() as session:
        yield session


@pytest.fixture
def tls(tmp_path, monkeypatch):
    """Return a TLS context for a server, with a certificate that clients trust."""
    context = tls_context(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "server.pem"))
    return context


def get(session, url, *, seconds=5.0, data=None, timeout=(5, 5)):
    """Return the body, read in chunks as the adapters do."""
    with time_limit(seconds), session.post(url, data=data, timeout=timeout, stream=True) as response:
        return b"".join(iter(lambda: response.raw.read1(4), b""))


@pytest.fixture
def small_buffer(session):
    """A session whose sockets hold little of what is sent."""
    options = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)]
    for adapter in session.adapters.values():
        adapter.poolmanager.connection_pool_kw["socket_options"] = options
    return session


def drip(connection, octets):
    """Send one octet at a time, so that all of them take much longer than the limit."""
    for octet in octets:
        select.select([connection], [], [], 0.01)
        connection.sendall(bytes([octet]))


def answering(*octets, first=b""):
    """Serve one request: send `first` at once and the rest one octet at a time."""

    def serve(connection):
        read_request(connection)
        connection.sendall(first)
        drip(connection, b"".join(octets))

    return serve


def answer_all(connection):
    """Answer every request of a connection."""
    while True:
        read_request(connection)
        connection.sendall(OK)


DRIPS = {
    "status line": answering(b"HTTP/1.1 200 " + b"O" * 200 + OK.removeprefix(b"HTTP/1.1 200 OK")),
    "headers": answering(b"X-Slow: 1\r\n" * 20 + b"Content-Length: 4\r\n\r\ngood", first=b"HTTP/1.1 200 OK\r\n"),
    "interim answers": answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + OK),
    "body": answering(b"good" * 50, first=b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"),
    "chunk sizes": answering(
        b"1;" + b"x" * 200 + b"\r\ng\r\n0\r\n\r\n", first=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    ),
}


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("part", DRIPS)
def test_an_answer_that_drips_is_left_at_the_limit(session, tls, part, encrypted):
    with raw_server(DRIPS[part], tls if encrypted else None) as url, pytest.raises(TIME_OUTS, match=TIMED_OUT):
        get(session, url, seconds=LIMIT_SECONDS)


@pytest.mark.parametrize("part", [b"", b"\x16\x03\x03\x40\x00" + b"\x02" * 300], ids=["hangs", "drips"])
def test_a_tls_handshake_that_hangs_or_drips_is_left_at_the_limit(session, part):
    """The server sends nothing, or the head of a 16 KB record and a part of its content."""

    def serve(connection):
        drip(connection, part)
        while connection.recv(1_000):
            pass

    with raw_server(serve) as url, pytest.raises(TIME_OUTS, match="timed out"):
        get(session, url.replace("http:", "https:"), seconds=LIMIT_SECONDS)


@pytest.mark.parametrize(("reused", "problem"), [(False, "timed out"), (True, "the time limit has passed")])
def test_nothing_is_started_at_the_end_of_the_limit(session, monkeypatch, reused, problem):
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    with raw_server(answer_all) as url:
        if reused:
            assert get(session, url) == b"good"
        with pytest.raises(TIME_OUTS, match=problem):
            get(session, url, seconds=0)


def test_a_connection_that_is_made_as_the_limit_passes_is_closed(session, monkeypatch):
    connections, clock = [], Clock(0.0)
    monkeypatch.setattr(time, "monotonic", clock)

    def connect(*arguments, **options):
        connections.append(create_connection(*arguments, **options))
        clock.advance(seconds=60)
        return connections[-1]

    monkeypatch.setattr(bounded_http, "create_connection", connect)
    with raw_server(answer_all) as url, pytest.raises(TIME_OUTS, match="timed out"):
        get(session, url)
    assert connections
    assert {connection.fileno() for connection in connections} == {-1}


@pytest.mark.parametrize("reused", [False, True])
def test_a_server_that_reads_nothing_is_left_at_the_limit(small_buffer, reused):
    left = threading.Event()

    def serve(connection):
        if reused:
            read_request(connection)
            connection.sendall(OK)
        left.wait(PATIENCE_SECONDS)

    with raw_server(serve) as url:
        if reused:
            assert get(small_buffer, url) == b"good"
        with pytest.raises(TIME_OUTS, match="timed out"):
            get(small_buffer, url, seconds=LIMIT_SECONDS, data=MUCH)
        left.set()


@pytest.mark.parametrize("part", ["handshake", "request", "answer"])
def test_each_connect_write_and_read_has_its_own_timeout_in_the_limit(small_buffer, tls, part):
    left = threading.Event()

    def serve(connection):
        if part == "answer":
            read_request(connection)
        left.wait(1)
        if part == "handshake":
            connection = stack.enter_context(tls.wrap_socket(connection.dup(), server_side=True))
        if part != "answer":
            read_request(connection)
        connection.sendall(OK)

    short = (5, 0.1) if part == "answer" else (0.1, 5)
    data = MUCH if part == "request" else None
    with ExitStack() as stack, raw_server(serve) as url:
        url = url.replace("http:", "https:") if part == "handshake" else url
        with pytest.raises(TIME_OUTS, match="timed out"):
            get(small_buffer, url, timeout=short, data=data)
        left.set()


@pytest.fixture
def addresses(monkeypatch):
    """The addresses of the host many.invalid, as (IP address, port), for a test to fill in."""
    found = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host, port, family=0, type=0, *others):  # noqa: A002 (as in the standard library)
        if host != "many.invalid":
            return resolve(host, port, family, type, *others)
        kinds = [type] if type else [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW]
        return [(socket.AF_INET, kind, 0, "", address) for address in found for kind in kinds]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return found


@pytest.fixture
def unanswering():
    """A port that does not answer connection attempts, because its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_all_addresses_of_a_host_share_the_limit(session, addresses, unanswering):
    """The pools use the host's port for every address, so the address that answers has another IP address."""
    with raw_server(answering(OK), host="127.0.0.2", port=unanswering):
        addresses += [("127.0.0.1", unanswering)] * 3 + [("127.0.0.2", unanswering)]
        with pytest.raises(TIME_OUTS, match="timed out"):
            get(session, f"http://many.invalid:{unanswering}", seconds=LIMIT_SECONDS)


@pytest.mark.parametrize("first", ["127.0.0.1", "127.0.0.3"], ids=["does not answer", "refuses"])
def test_an_address_that_does_not_connect_gives_way_to_the_next(session, addresses, unanswering, first):
    with raw_server(answering(first=OK), host="127.0.0.2", port=unanswering):
        addresses += [(first, unanswering), ("127.0.0.2", unanswering)]
        assert get(session, f"http://many.invalid:{unanswering}", timeout=(0.1, 5)) == b"good"


@pytest.mark.parametrize(("found", "problem"), [([], "no address"), ([("127.0.0.3", 1)], "refused")])
def test_a_host_that_refuses_is_tried_once_and_is_not_a_timeout(session, addresses, monkeypatch, found, problem):
    tried, connect = [], bounded_http.create_connection

    def recorded(address, *rest, **options):
        tried.append(address)
        return connect(address, *rest, **options)

    monkeypatch.setattr(bounded_http, "create_connection", recorded)
    addresses += found
    with pytest.raises(requests.ConnectionError, match=problem):
        get(session, "http://many.invalid:1")
    assert tried == found


def test_a_request_is_sent_at_once_and_head_gets_no_body(session):
    with raw_server(answering(first=OK)) as url, time_limit(5), session.head(url, timeout=5, stream=True) as response:
        assert response.raw.connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert response.content == b""


def test_an_earlier_limit_of_a_kept_connection_is_forgotten(session):
    def serve(connection):
        for wait in (0, 2 * LIMIT_SECONDS):
            read_request(connection)
            select.select([connection], [], [], wait)
            connection.sendall(OK)

    with raw_server(serve) as url:
        assert get(session, url, seconds=LIMIT_SECONDS) == b"good"
        assert get(session, url) == b"good"


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_connection_is_kept_and_a_cookie_is_not(session, tls, encrypted):
    connections, requests_seen = [], []

    def serve(connection):
        connections.append(connection)
        while True:
            requests_seen.append(read_request(connection).lower())
            connection.sendall(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: session=of-another-account\r\n\r\n"))

    with raw_server(serve, tls if encrypted else None) as url:
        assert [get(session, url), get(session, url)] == [b"good", b"good"]
    assert len(connections) == 1
    assert [b"cookie" in request for request in requests_seen] == [False, False]


def test_the_environments_proxy_is_asked_within_the_limit(session, monkeypatch):
    with raw_server(answering(b"HTTP/1.1 200 " + b"O" * 400 + b"\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(TIME_OUTS, match="timed out"):
            get(session, "https://api.invalid", seconds=LIMIT_SECONDS)


@pytest.mark.parametrize("header", [b"Authorization Basic aHVudGVyMg==", b" continued: aHVudGVyMg==", b"X-\xff: \xfe"])
def test_a_header_that_cannot_be_parsed_is_not_logged(session, caplog, header):
    caplog.set_level("WARNING")
    with raw_server(answering(first=OK.replace(b"OK\r\n", b"OK\r\n" + header + b"\r\n"))) as url:
        get(session, url)
    assert caplog.text == ""
