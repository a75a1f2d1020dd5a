"""httpx over HTTP/2, where a page that is not read harms other requests, and bodies that only httpx knows."""

import asyncio
import time
from types import SimpleNamespace

import httpx
import pytest

from integration.client.clients import HTTP, AsyncHttpx, Httpx, TrioHttpx
from integration.client.http2_api import http2_api
from talend_token import BodyNotRepeatable
from talend_token.httpx import TalendAuth, _Limits

HTTP2 = HTTP | {"http1": False, "http2": True, "timeout": 30}


class Once(httpx.SyncByteStream):
    """A user's own body that can be sent only once."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


@pytest.mark.parametrize(
    "body", [{"stream": Once()}, {"files": {"file": ("name", SimpleNamespace(read=bytes))}}], ids=["stream", "files"]
)
def test_a_body_that_cannot_be_sent_twice_is_refused_unsent(client, api, body):
    request = httpx.Request("POST", api.url, **body)
    with httpx.Client(auth=TalendAuth(client), **HTTP) as http, pytest.raises(BodyNotRepeatable, match="POST request"):
        http.send(request)
    assert api.calls == []


@pytest.fixture
def api2(source):
    """Return an API over HTTP/2, which uses one connection for all requests."""
    with http2_api() as api2:
        source.api, source.api_url = api2, api2.url
        source.publish()
        yield api2


@pytest.mark.parametrize("refusal_bytes", [0, 500, 60_000, 200_000])
def test_many_tasks_over_http2_each_retry_once(client, api2, source, refusal_bytes):
    api2.refusal_bytes = refusal_bytes

    async def herd():
        async with httpx.AsyncClient(auth=TalendAuth(client), **HTTP2) as http:
            assert (await http.get(api2.url)).status_code == 200
            api2.accepted.clear()
            answers = await asyncio.gather(*(http.get(api2.url) for _ in range(150)))
            assert (await http.get(api2.url)).http_version == "HTTP/2"
            return [answer.status_code for answer in answers]

    assert asyncio.run(herd()) == [200] * 150
    assert source.renewals == ["v2"]
    assert len(api2.connections) == 1


@pytest.fixture(params=[Httpx, AsyncHttpx, TrioHttpx])
def revoking(request, client, api2):
    """Return the statuses of so many requests over one connection, each of whose tokens is revoked before."""
    call = request.param(client)

    def get(times, **options):
        options = HTTP2 | {"auth": call.auth} | options

        async def get_async():
            async with httpx.AsyncClient(**options) as http:
                return {(api2.accepted.clear(), await http.get(api2.url))[1].status_code for _ in range(times)}

        if isinstance(call, AsyncHttpx):
            return call.run(get_async)
        with httpx.Client(**options) as http:
            return {(api2.accepted.clear(), http.get(api2.url))[1].status_code for _ in range(times)}

    return get


@pytest.mark.parametrize("refusal_bytes", [500, 200_000])
def test_http2_does_not_wear_out(api2, source, refusal_bytes, revoking):
    """A connection allows 100 streams at once, which share a window."""
    api2.refusal_bytes = refusal_bytes
    assert revoking(120) == {200}
    assert len(source.renewals) == 120
    assert len(api2.connections) == 1


@pytest.mark.parametrize("revoking", [Httpx, AsyncHttpx], indirect=True)
def test_a_large_page_is_not_read_to_its_end(api2, revoking, monkeypatch):
    read = []
    exceeded = _Limits.exceeded
    monkeypatch.setattr(
        _Limits, "exceeded", lambda limits, chunk: (read.append(len(chunk)), exceeded(limits, chunk))[1]
    )
    api2.refusal_bytes = 10_000_000
    assert revoking(1) == {200}
    assert 1_048_576 <= sum(read) < 1_148_576


def test_an_endless_page_does_not_block_the_request(api2, revoking):
    api2.refusal_ends = False
    assert revoking(1, timeout=0.5) == {200}


def test_a_page_is_given_up_when_it_is_too_large_or_too_slow(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limits = _Limits()
    assert not limits.exceeded(b"x" * 1_048_575)
    now += 5
    assert not limits.exceeded(b"")
    now += 0.1
    assert limits.exceeded(b"")
    assert _Limits().exceeded(b"x" * 1_048_576)
