"""A used client that is sent to other processes works there with their own token."""

import multiprocessing.forkserver
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from doubles import raw_server, read_request
from integration.client.clients import AsyncHttpx, Httpx, Requests, statuses, version
from integration.wire import NAME, answer, secret
from talend_token import TokenClient
from talend_token.aio import AsyncTokenClient

pytestmark = [pytest.mark.true_source, pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")]


class AWS:
    """Secrets Manager and Lambda, where each renewal publishes the next version."""

    def __init__(self, api):
        self.api = api
        self.version = 1

    def serve(self, connection):
        is_renewal = b"/functions/" in read_request(connection).partition(b"\r\n")[0]
        self.version += is_renewal
        answer(connection, {"outcome": "rotated"} if is_renewal else self.secret())

    def secret(self):
        self.api.accepted.add(f"token-of-v{self.version}")
        return secret(self.version, issued_at=int(time.time()), api_url=self.api.url)

    def revoke(self):
        """Reject every other request of /revoke."""
        calls = [call for call in self.api.calls if call.path == "/revoke"]
        if self.api.calls[-1].path == "/revoke" and len(calls) % 2:
            self.api.accepted.discard(f"token-of-v{self.version}")


@pytest.fixture
def aws(api, monkeypatch):
    aws = AWS(api)
    api.on_call = aws.revoke
    with raw_server(aws.serve) as url:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("TALEND_TOKEN_SECRET", NAME)
        monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew")
        monkeypatch.delenv("TALEND_ACCESS_TOKEN", raising=False)
        yield aws


@pytest.fixture(params=["fork", "spawn", "forkserver"])
def processes(request, aws):  # noqa: ARG001 (a server of forks keeps the environment that it is started in)
    context = multiprocessing.get_context(request.param)
    if request.param == "forkserver":
        # Otherwise the server that an earlier test has started would be used.
        multiprocessing.forkserver._forkserver._stop()
    with ProcessPoolExecutor(1, context) as processes:
        yield processes


def test_another_process_makes_calls_with_a_token_of_its_own(processes, aws, api):
    client = TokenClient()
    calls = [adapter(client) for adapter in (Requests, Httpx, AsyncHttpx)]
    assert [call("GET", api.url).status_code for call in calls] == [200] * 3
    aws.version = 2
    for sent in (client, AsyncTokenClient(client)):
        assert processes.submit(version, sent).result(60) == "v2"
    for call in calls:
        assert processes.submit(statuses, call, api.url).result(60) == (200, 200)
    assert client.get_token().version_id == "v1"
