"""A connection to AWS that was lost while idle does no harm, and a request on a closed one is repeated once."""

import socket
import struct
import threading

import boto3
import pytest

import talend_token.secrets_manager
from doubles import raw_server, read_request
from doubles.threads import in_threads
from integration.wire import answer, secret
from talend_token import RenewalFailed, TokenUnavailable
from talend_token.secrets_manager import SecretsManagerSource

SECRET = secret()
# Shared, because a new one reads the models of both services again.
SESSION = boto3.Session(region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing")


def reset(connection):
    """Reset the connection at the next byte."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    raise ConnectionResetError


def close(_):
    raise ConnectionAbortedError


def swallow(connection):
    """Accept all data, and never answer."""
    while connection.recv(65_536):
        pass


class Service:
    """An AWS service. `new` are the faults of its next connections; `used_again` says if one had two requests."""

    def __init__(self, body):
        self.body = body
        self.new = []
        self.requests = 0
        self.used_again = False
        self._lock = threading.Lock()

    def serve(self, connection):
        read_request(connection)
        with self._lock:
            self.requests += 1
            fault = self.new.pop(0) if self.new else None
        if fault:
            fault(connection)
        answer(connection, self.body)
        read_request(connection)
        self.used_again = True


@pytest.fixture
def secrets(monkeypatch):
    with raw_server((service := Service(SECRET)).serve) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
        yield service


@pytest.fixture
def functions(monkeypatch):
    with raw_server((service := Service({"outcome": "rotated"})).serve) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        yield service


@pytest.fixture
def source(secrets, functions, monkeypatch):  # noqa: ARG001 (they have to be there)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", SESSION)
    return SecretsManagerSource("talend-token/default/token", "renew")


def test_no_call_meets_a_connection_that_died_while_idle(source, secrets, functions):
    """Each call closes its connection, also those of a crowd, in which each thread has its own."""
    for call in (source.read, lambda: source.renew("v1")):
        # Clients are created one after the other.
        call()
        assert not [end for end in in_threads(call, 8) if isinstance(end, Exception)]
        call()
    assert (secrets.requests, functions.requests) == (10, 10)
    assert not secrets.used_again
    assert not functions.used_again


@pytest.mark.parametrize("cut", [reset, close])
def test_a_call_whose_connection_is_cut_is_repeated_once(source, secrets, functions, cut):
    secrets.new, functions.new = [cut], [cut]
    assert source.read().token.version_id == "v1"
    assert source.renew("v1").outcome == "rotated"
    assert (secrets.requests, functions.requests) == (2, 2)
    secrets.new, functions.new = [cut] * 9, [cut] * 9
    with pytest.raises(TokenUnavailable, match="ConnectionClosedError"):
        source.read()
    with pytest.raises(RenewalFailed, match="ConnectionClosedError") as caught:
        source.renew("v1")
    assert caught.value.may_show
    assert (secrets.requests, functions.requests) == (4, 4)


def test_a_renewal_that_is_not_answered_in_time_is_not_invoked_again(source, functions, monkeypatch):
    monkeypatch.setattr(talend_token.secrets_manager, "_RENEW_READ_TIMEOUT_SECONDS", 0.2)
    functions.new = [swallow]
    with pytest.raises(RenewalFailed, match="ReadTimeoutError") as caught:
        source.renew("v1")
    assert functions.requests == 1
    assert caught.value.may_show
    assert source.renew("v1").outcome == "rotated"


def test_without_a_default_session_none_is_made(secrets, monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setattr(boto3.session, "Session", lambda: SESSION)
    assert SecretsManagerSource("talend-token/default/token").read().token.version_id == "v1"
    assert (secrets.requests, boto3.DEFAULT_SESSION) == (1, None)


# --- AWS answers 200 with something else: a proxy's page, an empty body ---

STRANGE = {
    "other members": b'{"outcome": "rotated", "retry_after_seconds": "x"}',
    "nothing": b"",
    "an empty object": b"{}",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"hunter2"',
    "a page": b"<html>sign in</html>",
    "no UTF-8": b"\xff\xfe",
    "too deep": b"[" * 50_000,
    "numbers": b'{"VersionId": 5, "SecretString": 7, "outcome": "rotated", "retry_after_seconds": 1%s}' % (b"0" * 400),
    "nulls": b'{"VersionId": null, "SecretString": null, "outcome": null, "retry_after_seconds": []}',
}


@pytest.mark.parametrize("body", STRANGE.values(), ids=STRANGE)
def test_a_strange_answer_names_secret_and_fix(source, secrets, functions, body):
    secrets.body = functions.body = body
    with pytest.raises(TokenUnavailable) as caught:
        source.read()
    assert str(caught.value) == (
        "token secret 'talend-token/default/token' cannot be read: an unexpected answer. The answer may not be from "
        "AWS. Check AWS_ENDPOINT_URL, the proxy, or the test's stub."
    )
    assert caught.value.__context__ is None
    said = r"'talend-token/default/token': version v1 .* not that of a renew function\. Check TALEND_RENEW_FUNCTION"
    with pytest.raises(RenewalFailed, match=said):
        source.renew("v1")
