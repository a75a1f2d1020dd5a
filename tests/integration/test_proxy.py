"""A company's proxy: it tunnels to a server with a private certificate authority, and sees no clear text."""

import socket
import threading
from contextlib import suppress

import boto3
import pytest

from doubles import Clock, raw_server, read_request
from doubles.tls_server import tls_context
from integration.wire import NAME, answer, secret
from rotator.adapters.secrets_manager import secrets_manager_client
from rotator.adapters.token_endpoint import HttpTokenEndpoint
from rotator.domain.credentials import Credentials
from talend_token.errors import TokenUnavailable
from talend_token.secrets_manager import SecretsManagerSource

MARK = "seen-only-by-the-server"
ANSWER = {"access_token": MARK, "token_type": "Bearer", "expires_in": 1800}


class Proxy:
    """Serves CONNECT, and records what it sees."""

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


@pytest.fixture
def proxy(monkeypatch):
    """Return a proxy that the environment names, as an operator does."""
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    proxy = Proxy()
    with raw_server(proxy.serve) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        yield proxy


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Start a server that answers with a body, by a certificate whose authority the environment names."""
    context = tls_context(tmp_path)
    for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "server.pem"))

    def answering(body):
        def serve(connection):
            while True:
                read_request(connection)
                answer(connection, body)

        return raw_server(serve, context)

    return answering


def token_call(url):
    clock = Clock()
    endpoint = HttpTokenEndpoint(clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)
    return endpoint.request_token(Credentials("some/secret", "version", "abc", MARK, url), clock() + 30).body.decode()


def rotators_read(_):
    return secrets_manager_client(boto3.session.Session()).get_secret_value(SecretId=NAME)["SecretString"]


def clients_read(_):
    return SecretsManagerSource(NAME, session=boto3.session.Session()).read().token.access_token


@pytest.mark.parametrize("has_proxy", [True, False], ids=["proxy", "NO_PROXY"])
@pytest.mark.parametrize(
    ("call", "body"),
    [(token_call, ANSWER), (rotators_read, secret(token=MARK)), (clients_read, secret(token=MARK))],
)
def test_it_works_through_a_proxy_that_sees_no_clear_text(proxy, server, monkeypatch, call, body, has_proxy):
    if not has_proxy:
        monkeypatch.setenv("NO_PROXY", "localhost")
    with server(body) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert MARK in call(url)
    assert set(proxy.hosts) == ({"localhost"} if has_proxy else set())
    assert (len(proxy.seen) > 1000) == has_proxy
    # Nor the path, nor any other header than the tunnel's own.
    for text in (MARK, "oauth", "GetSecretValue", "access_token", "Authorization"):
        assert text.encode() not in proxy.seen


def test_behind_a_proxy_an_unknown_authority_is_refused(proxy, server, monkeypatch):
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with server(secret()) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(TokenUnavailable, match="SSLError"):
            clients_read(url)
    assert proxy.hosts
