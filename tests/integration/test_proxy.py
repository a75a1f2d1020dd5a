"""A company's proxy: it tunnels to a server with a private certificate authority, and sees no clear text."""

import json
import socket
import threading
from contextlib import suppress

import boto3
import pytest

from doubles import Clock, raw_server, read_request
from doubles.tls_server import tls_context
from rotator.adapters.secrets_manager import secrets_manager_client
from rotator.adapters.token_endpoint import HttpTokenEndpoint
from rotator.domain.credentials import Credentials
from talend_token.errors import TokenUnavailable
from talend_token.secrets_manager import SecretsManagerSource

MARK = "seen-only-by-the-server"
ANSWER = json.dumps({"access_token": MARK, "token_type": "Bearer", "expires_in": 1800})
TIMES = {"issued_at": 1795472989, "expires_at": 1795474789}
DOCUMENT = {"access_token": MARK, "token_type": "Bearer", "api_url": "https://api.eu.cloud.talend.com"} | TIMES
SECRET = json.dumps({"Name": "talend-token/default/token", "VersionId": "1" * 32, "SecretString": json.dumps(DOCUMENT)})


class Proxy:
    """Serves CONNECT, and keeps what it sees."""

    def __init__(self):
        self.hosts = []
        self.seen = bytearray()

    def serve(self, connection):
        head = read_request(connection)
        self.seen += head
        method, target, _ = head.split(b" ", 2)
        assert method == b"CONNECT"
        host, port = target.decode().split(":")
        self.hosts.append(host)
        with socket.create_connection((host, int(port))) as server:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self._pipe, args=(server, connection), daemon=True)
            back.start()
            self._pipe(connection, server)
            back.join(5)

    def _pipe(self, source, target):
        with suppress(OSError):
            while octets := source.recv(65_536):
                self.seen += octets
                target.sendall(octets)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def answering(body):
    """Serve one answer after another."""

    def serve(connection):
        while True:
            read_request(connection)
            connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    return serve


@pytest.fixture
def proxy(monkeypatch):
    """A proxy that the environment names, as an operator does."""
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ):
        monkeypatch.setenv(name, value)
    proxy = Proxy()
    with raw_server(proxy.serve) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        yield proxy


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Starts a server that answers with a body, by a certificate whose authority the environment names."""
    context = tls_context(tmp_path)
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "server.pem"))
    return lambda body: raw_server(answering(body), context)


def token_call(url):
    clock = Clock()
    endpoint = HttpTokenEndpoint(clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)
    return endpoint.request_token(Credentials("some/secret", "version", "abc", MARK, url), clock() + 30).body


def rotators_read(url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    client = secrets_manager_client(boto3.session.Session())
    return client.get_secret_value(SecretId="talend-token/default/token")["SecretString"]


def clients_read(url, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    return SecretsManagerSource("talend-token/default/token", session=boto3.session.Session()).read().token.access_token


CALLS = {
    "the token call": (ANSWER, lambda url, _: token_call(url).decode()),
    "the rotator's AWS calls": (SECRET, rotators_read),
    "the client's AWS calls": (SECRET, clients_read),
}


@pytest.mark.parametrize("call", CALLS)
def test_it_works_through_a_proxy_that_sees_no_clear_text(proxy, server, monkeypatch, call):
    body, make = CALLS[call]
    with server(body) as url:
        assert MARK in make(url, monkeypatch)
    assert set(proxy.hosts) == {"localhost"}
    assert len(proxy.seen) > 1000
    # Nor the path, nor any other header than the tunnel's own.
    for text in (MARK, "oauth", "GetSecretValue", "access_token", "Authorization"):
        assert text.encode() not in proxy.seen


@pytest.mark.parametrize("call", CALLS)
def test_a_host_of_no_proxy_is_reached_directly(proxy, server, monkeypatch, call):
    monkeypatch.setenv("NO_PROXY", "localhost")
    body, make = CALLS[call]
    with server(body) as url:
        assert MARK in make(url, monkeypatch)
    assert proxy.hosts == []


def test_behind_a_proxy_an_unknown_authority_is_refused(proxy, server, monkeypatch):
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with server(SECRET) as url, pytest.raises(TokenUnavailable, match="SSLError"):
        clients_read(url, monkeypatch)
    assert proxy.hosts
