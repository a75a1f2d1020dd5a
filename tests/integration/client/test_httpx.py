"""httpx over HTTP/2, where a page that is not read harms other requests, and bodies that only httpx knows."""

import asyncio
from itertools import count
from types import SimpleNamespace

import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from doubles import raw_server
from integration.client.clients import HTTP, AsyncHttpx, Httpx
from talend_token import BodyNotRepeatable
from talend_token.httpx import TalendAuth

HTTP2 = HTTP | {"http1": False, "http2": True, "timeout": 30}


@pytest.mark.parametrize(
    "body", [{"stream": iter([])}, {"files": {"file": ("name", SimpleNamespace(read=bytes))}}], ids=["stream", "files"]
)
def test_a_body_that_cannot_be_sent_twice_is_refused_unsent(client, api, body):
    request = httpx.Request("POST", api.url, **body)
    with httpx.Client(auth=TalendAuth(client), **HTTP) as http, pytest.raises(BodyNotRepeatable, match="POST request"):
        http.send(request)
    assert api.calls == []


# --- the connection that all requests share ---


class Http2Api:
    """A Talend API without TLS, for clients with prior knowledge. Its refusals are pages, and nearly fill a window."""

    def __init__(self):
        self.url = ""
        self.accepted = set()
        self.connections = 0

    def serve(self, connection):
        self.connections += 1
        http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        http.initiate_connection()
        while True:
            connection.sendall(http.data_to_send())
            octets = connection.recv(65_536)
            if not octets:
                raise ConnectionAbortedError
            for event in http.receive_data(octets):
                if isinstance(event, h2.events.RequestReceived):
                    self._answer(http, event.stream_id, dict(event.headers)["authorization"])

    def _answer(self, http, stream, authorization):
        is_accepted = authorization.removeprefix("Bearer ") in self.accepted
        http.send_headers(stream, [(":status", "200" if is_accepted else "401")])
        for _ in range(0 if is_accepted else 4):
            http.send_data(stream, b"x" * 15_000)
        http.end_stream(stream)


@pytest.fixture
def api2(source):
    api2 = Http2Api()
    with raw_server(api2.serve) as api2.url:
        source.api, source.api_url = api2, api2.url
        source.publish()
        yield api2


def test_many_tasks_over_http2_retry_once_each_and_renew_once(client, api2, source):
    """Three times, so that the connection would wear out: it allows 100 streams at once, and they share 16 MiB."""

    async def herds():
        async with httpx.AsyncClient(auth=TalendAuth(client), **HTTP2) as http:
            for _ in range(3):
                api2.accepted.clear()
                answers = await asyncio.gather(*(http.get(api2.url) for _ in range(150)))
                assert {(answer.status_code, answer.http_version) for answer in answers} == {(200, "HTTP/2")}

    asyncio.run(herds())
    assert source.renewals == ["v2", "v3", "v4"]
    assert api2.connections == 1


def test_http2_does_not_wear_out(client, api2):
    with httpx.Client(auth=TalendAuth(client), **HTTP2) as http:
        for _ in range(300):
            api2.accepted.clear()
            assert http.get(api2.url).status_code == 200
    assert api2.connections == 1


class Page(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A page without an end, or one that breaks off."""

    chunks = 0
    is_closed = False
    breaks_off = False

    def __iter__(self):
        while not (self.chunks and self.breaks_off):
            self.chunks += 1
            yield b"x" * 65_536
        raise httpx.ReadTimeout("")

    async def __aiter__(self):
        for chunk in self:
            yield chunk

    def close(self):
        self.is_closed = True

    async def aclose(self):
        self.close()


@pytest.mark.parametrize("adapter", [Httpx, AsyncHttpx])
@pytest.mark.parametrize(
    ("version", "pace", "breaks_off", "chunks"),
    # At most 1 MiB, and for at most five seconds.
    [(b"HTTP/2", 0, False, 16), (b"HTTP/2", 1, False, 6), (b"HTTP/2", 0, True, 1), (b"HTTP/1.1", 0, False, 0)],
)
def test_a_page_is_read_within_limits(client, source, monkeypatch, adapter, version, pace, breaks_off, chunks):
    page, call = Page(), adapter(client)
    page.breaks_off = breaks_off
    monkeypatch.setattr("talend_token.httpx.time", SimpleNamespace(monotonic=count(100, pace).__next__))
    answers = iter([httpx.Response(401, stream=page, extensions={"http_version": version}), httpx.Response(200)])
    call.http = {"transport": httpx.MockTransport(lambda _: next(answers))}
    assert call("GET", source.api_url).status_code == 200
    assert (page.chunks, page.is_closed) == (chunks, True)
