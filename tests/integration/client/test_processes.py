"""A used client that is sent to other processes works there with their own token."""

import json
import multiprocessing.forkserver
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
import requests

from doubles import raw_server, read_request
from integration.client import worker
from talend_token import TokenClient
from talend_token.aio import AsyncTokenClient
from talend_token.httpx import TalendAuth as HttpxAuth
from talend_token.requests import TalendAuth

pytestmark = pytest.mark.true_source


class AWS:
    """Secrets Manager and Lambda, where each renewal publishes the next version."""

    def __init__(self, api):
        self.api = api
        self.version = 1
        self.reads = 0

    def serve(self, connection):
        is_renewal = b"/functions/" in read_request(connection).partition(b"\r\n")[0]
        self.version += is_renewal
        self.reads += not is_renewal
        octets = json.dumps({"outcome": "rotated"} if is_renewal else self.secret()).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(octets), octets))

    def secret(self):
        now = int(time.time())
        self.api.accepted.add(f"token-of-v{self.version}")
        document = {
            "access_token": f"token-of-v{self.version}",
            "token_type": "Bearer",
            "issued_at": now,
            "expires_at": now + 1800,
            "api_url": self.api.url,
        }
        name = "talend-token/default/token"
        return {"Name": name, "VersionId": f"v{self.version}", "SecretString": json.dumps(document)}


@pytest.fixture
def aws(api, monkeypatch):
    aws = AWS(api)

    def revoke():
        """Reject every other request."""
        calls = [call for call in api.calls if call.path == "/revoke"]
        if api.calls[-1].path == "/revoke" and len(calls) % 2:
            api.accepted.discard(f"token-of-v{aws.version}")

    api.on_call = revoke
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delenv("TALEND_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "talend-token/default/token")
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew")
    with raw_server(aws.serve) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield aws


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def processes(request, aws):  # noqa: ARG001 (a server of forks keeps the environment that it is started in)
    context = multiprocessing.get_context(request.param)
    if request.param == "forkserver":
        # Otherwise the server that an earlier test has started would be used.
        multiprocessing.forkserver._forkserver._stop()
    with ProcessPoolExecutor(1, context) as processes:
        yield processes


def used_session(client, api):
    session = requests.Session()
    session.trust_env = False
    session.auth = TalendAuth(client)
    assert session.get(api.url).status_code == 200
    return session


def used_httpx(client, api):
    auth = HttpxAuth(client)
    assert worker.with_httpx(auth, api.url) == (200, 200)
    return auth


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(
    ("used", "work"),
    [
        (used_session, worker.with_session),
        (used_httpx, worker.with_httpx),
        (used_httpx, worker.with_async_httpx),
    ],
)
def test_another_process_makes_calls_with_a_token_of_its_own(processes, aws, api, used, work):
    thing = used(TokenClient(), api)
    reads = aws.reads
    assert processes.submit(work, thing, api.url).result(60) == (200, 200)
    assert aws.reads > reads


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_another_process_gets_tokens_from_a_client(processes, aws):
    client = TokenClient()
    assert client.get_token().version_id == "v1"
    aws.version = 2
    for sent in (client, AsyncTokenClient(client)):
        assert processes.submit(worker.version, sent).result(60) == "v2"
    assert client.get_token().version_id == "v1"
