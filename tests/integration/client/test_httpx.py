"""httpx with a token, sync and async: the right one, to the right host, and once more after a 401."""

import asyncio
import io
import logging
import os
import re
import ssl
import time

import httpx
import pytest
import trio

from integration.client.http2_api import http2_api
from talend_token import BodyNotRepeatable, HostNotAllowed, TokenUnavailable
from talend_token.httpx import TalendAuth, _Limits

# A client makes a context for TLS, which no test here needs, and takes long to do so.
HTTP = {"trust_env": False, "verify": ssl.create_default_context()}
HTTP2 = HTTP | {"http1": False, "http2": True, "timeout": 30}


class Sync:
    """Makes one call with httpx.Client."""

    def __init__(self, auth):
        self.auth = auth

    def __call__(self, method, url, **options):
        with httpx.Client(auth=self.auth, **HTTP) as client:
            return client.request(method, url, **options)

    def revoked_again_and_again(self, api2, times, **options):
        """The states of so many requests over HTTP/2, each with a token that is revoked at that moment."""
        with httpx.Client(auth=self.auth, **HTTP2 | options) as client:
            return {(api2.accepted.clear(), client.get(api2.url).status_code)[1] for _ in range(times)}


class Async:
    """Makes one call with httpx.AsyncClient, under asyncio."""

    def __init__(self, auth):
        self.auth = auth

    run = staticmethod(asyncio.run)

    def __call__(self, method, url, **options):
        async def call():
            async with httpx.AsyncClient(auth=self.auth, **HTTP) as client:
                return await client.request(method, url, **options)

        return self.run(call())

    def revoked_again_and_again(self, api2, times, **options):
        """See `Sync`."""

        async def call():
            async with httpx.AsyncClient(auth=self.auth, **HTTP2 | options) as client:
                return {(api2.accepted.clear(), (await client.get(api2.url)).status_code)[1] for _ in range(times)}

        return self.run(call())


class Trio(Async):
    """Makes one call with httpx.AsyncClient, under trio."""

    @staticmethod
    def run(coroutine):
        async def main():
            return await coroutine

        return trio.run(main)


@pytest.fixture(params=[Sync, Async, Trio])
def call(request, client):
    return request.param(TalendAuth(client))


@pytest.fixture
def revoked(api, client):
    """v1 has been used, and the API has refused it ever since."""
    assert Sync(TalendAuth(client))("GET", api.url).status_code == 200
    api.accepted.clear()
    api.calls.clear()


def test_a_request_carries_the_published_token(call, api):
    response = call("GET", f"{api.url}/path")
    assert (response.status_code, response.text) == (200, "welcome")
    assert api.tokens == ["token-of-v1"]


@pytest.mark.usefixtures("revoked")
def test_a_401_is_answered_by_one_renewal_and_one_repetition(call, api, source):
    response = call("GET", api.url)
    assert response.status_code == 200
    assert api.tokens == ["token-of-v1", "token-of-v2"]
    assert [earlier.status_code for earlier in response.history] == [401]
    assert source.renewals == ["v1"]


@pytest.mark.usefixtures("revoked")
def test_a_second_401_is_returned(call, api, source):
    source.publish = type(source).publish.__get__(source)
    assert call("GET", api.url).status_code == 401
    assert api.tokens == ["token-of-v1", "token-of-v2"]


@pytest.mark.usefixtures("revoked")
def test_without_another_token_the_401_is_returned(call, api, source, caplog):
    source.refuse("too_soon", retry_after_seconds=30)
    response = call("GET", api.url)
    assert (response.status_code, response.text) == (401, "no")
    assert api.tokens == ["token-of-v1"]
    (warning,) = [record for record in caplog.records if record.name == "talend_token"]
    assert warning.levelno == logging.WARNING
    assert re.fullmatch(
        r"token secret '\S+': version v1 was rejected .* too_soon, for 30 seconds\. .* Region's\.",
        warning.getMessage(),
    )


def test_no_token_no_request(call, api, clock):
    clock.advance(minutes=31)
    with pytest.raises(TokenUnavailable, match="expired"):
        call("GET", api.url)
    assert api.calls == []


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"a": 1}},
        {"data": {"a": "1"}},
        {"content": b"bytes"},
        {"content": "text"},
        {"files": {"f": b"content"}},
    ],
)
@pytest.mark.usefixtures("revoked")
def test_a_body_in_memory_is_sent_again(call, api, body):
    assert call("POST", api.url, **body).status_code == 200
    first, second = api.calls
    assert first.body == second.body != b""


@pytest.mark.parametrize("option", ["content", "files"])
def test_a_file_is_rewound_and_sent_again(client, api, tmp_path, option):
    call = Sync(TalendAuth(client))
    call("GET", api.url)
    api.accepted.clear()
    (tmp_path / "file").write_bytes(b"content")
    with (tmp_path / "file").open("rb") as file:
        assert call("PUT", api.url, **{option: file if option == "content" else {"file": file}}).status_code == 200
    first, second = api.calls[1:]
    assert b"content" in first.body
    assert first.body == second.body


def test_a_reusable_iterable_is_sent_again(client, api):
    call = Sync(TalendAuth(client))
    call("GET", api.url)
    api.accepted.clear()
    assert call("POST", api.url, content=[b"a", b"b"]).status_code == 200
    assert [call.body for call in api.calls[1:]] == [b"ab", b"ab"]


@pytest.mark.usefixtures("revoked")
def test_a_successful_post_is_not_repeated_for_its_redirects_401(call, api):
    api.accepted.add("token-of-v1")
    api.redirects["/create"] = "/result"
    api.redirect_status = 303
    api.on_call = lambda: api.calls[-1].path == "/result" and api.accepted.discard("token-of-v1")
    assert call("POST", f"{api.url}/create", content=b"x", follow_redirects=True).status_code == 200
    assert [(call.method, call.path) for call in api.calls] == [
        ("POST", "/create"),
        ("GET", "/result"),
        ("GET", "/result"),
    ]


@pytest.mark.usefixtures("revoked")
def test_the_body_of_a_401_is_not_read_before_the_request_is_repeated(call, api):
    api.endless_refusals = True
    response = call("GET", api.url, timeout=5)
    assert (response.status_code, response.history[0].content) == (200, b"")


@pytest.mark.usefixtures("revoked")
def test_a_renewed_token_for_another_api_is_not_sent_to_the_old_one(call, api, source):
    def moved():
        source.api_url = "https://api.us.cloud.talend.com"
        return source._renew()

    source.on_renew = moved
    assert call("GET", api.url).status_code == 401
    assert api.tokens == ["token-of-v1"]


def _generator():
    yield b"a"


async def _async_generator():
    yield b"a"


def _pipe():
    reading, writing = os.pipe()
    os.close(writing)
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("body", [_generator, _pipe])
def test_a_body_that_cannot_be_sent_twice_is_refused_unsent(client, api, body):
    content = body()
    with pytest.raises(BodyNotRepeatable, match=r"POST request cannot be sent a second time.*Give bytes or a file"):
        Sync(TalendAuth(client))("POST", api.url, content=content)
    content.close()
    assert api.calls == []


def test_an_async_generator_is_refused_before_it_is_sent(client, api):
    with pytest.raises(BodyNotRepeatable, match="POST request"):
        Async(TalendAuth(client))("POST", api.url, content=_async_generator())
    assert api.calls == []


class Once(httpx.SyncByteStream):
    """A body of the user's own making, used up by being sent."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


def test_a_users_own_stream_that_is_used_up_is_refused_unsent(client, api):
    request = httpx.Request("POST", api.url, stream=Once())
    with httpx.Client(auth=TalendAuth(client), trust_env=False) as http, pytest.raises(BodyNotRepeatable, match="POST"):
        http.send(request)
    assert api.calls == []


def test_a_multipart_upload_from_a_pipe_is_refused_before_it_is_sent(client, api):
    with _pipe() as pipe, pytest.raises(BodyNotRepeatable, match="POST request"):
        Sync(TalendAuth(client))("POST", api.url, files={"file": ("name", pipe)})
    assert api.calls == []


def test_a_redirect_to_another_host_carries_no_token(call, api, other_host, source):
    api.redirects["/"] = f"{other_host.url}/elsewhere"
    response = call("GET", api.url, follow_redirects=True)
    assert (response.status_code, str(response.url)) == (401, f"{other_host.url}/elsewhere")
    assert other_host.tokens == [None]
    assert source.renewals == []


def test_a_token_is_not_sent_to_another_host(call, api, other_host):
    with pytest.raises(HostNotAllowed, match=f"the token is for {api.url} and is not sent to {other_host.url}"):
        call("GET", other_host.url)
    assert other_host.calls == []


def test_a_token_is_sent_to_another_host_if_the_user_says_so(client, other_host):
    other_host.accepted.add("token-of-v1")
    assert Sync(TalendAuth(client, also_for=[other_host.url]))("GET", other_host.url).status_code == 200


def test_other_authentication_is_left_alone(call, other_host, source):
    call("GET", other_host.url, headers={"Authorization": "Basic mine"})
    assert [call.headers["authorization"] for call in other_host.calls] == ["Basic mine"]
    assert source.reads == 0


def test_many_tasks_retry_once_each_and_renew_once(client, api, source):
    source.publish()
    auth = TalendAuth(client)

    async def call(http):
        return (await http.get(api.url)).status_code

    async def herd():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(auth=auth, trust_env=False, timeout=30, limits=limits) as http:
            assert await call(http) == 200
            api.accepted.clear()
            api.calls.clear()
            return await asyncio.gather(*(call(http) for _ in range(100)))

    assert asyncio.run(herd()) == [200] * 100
    assert source.renewals == ["v2"]
    assert max(api.tokens.count("token-of-v2"), api.tokens.count("token-of-v3")) == 100


# --- HTTP/2: one connection for all ---


@pytest.fixture
def api2(source):
    with http2_api() as api2:
        source.api_url = api2.url
        publish = source.publish

        def published_and_accepted(**how):
            token = publish(**how)
            api2.accepted.add(token.access_token)
            return token

        source.publish = published_and_accepted
        source.publish()
        yield api2


@pytest.mark.parametrize("refusal_bytes", [0, 500, 60_000, 200_000])
def test_many_tasks_over_http2_each_retry_once(client, api2, source, refusal_bytes):
    api2.refusal_bytes = refusal_bytes
    # Time for other requests between a page and its headers.
    api2.round_trips = 20

    async def herd():
        async with httpx.AsyncClient(auth=TalendAuth(client), **HTTP2) as http:
            assert (await http.get(api2.url)).status_code == 200
            api2.accepted.clear()
            answers = await asyncio.gather(*(http.get(api2.url) for _ in range(150)))
            assert (await http.get(api2.url)).http_version == "HTTP/2"
            return [answer.status_code for answer in answers]

    assert asyncio.run(herd()) == [200] * 150
    assert source.renewals == ["v2"]
    assert api2.connections == 1


@pytest.mark.parametrize("refusal_bytes", [500, 200_000])
@pytest.mark.parametrize("way", [Sync, Async, Trio])
def test_http2_does_not_wear_out(client, api2, source, refusal_bytes, way):
    """A connection has 100 streams at once, and a window that is shared by all."""
    api2.refusal_bytes = refusal_bytes
    assert way(TalendAuth(client)).revoked_again_and_again(api2, 120) == {200}
    assert len(source.renewals) == 120
    assert api2.connections == 1


@pytest.mark.parametrize("way", [Sync, Async])
def test_a_large_page_is_not_read_to_its_end(client, api2, way, monkeypatch):
    read = []
    exceeded = _Limits.exceeded
    monkeypatch.setattr(
        _Limits, "exceeded", lambda limits, chunk: (read.append(len(chunk)), exceeded(limits, chunk))[1]
    )
    api2.refusal_bytes = 10_000_000
    assert way(TalendAuth(client)).revoked_again_and_again(api2, 1) == {200}
    assert 1_048_576 <= sum(read) < 1_148_576


@pytest.mark.parametrize("way", [Sync, Async, Trio])
def test_an_endless_page_does_not_block_the_request(client, api2, way):
    api2.refusal_ends = False
    assert way(TalendAuth(client)).revoked_again_and_again(api2, 1, timeout=0.5) == {200}


def test_a_page_that_drips_is_given_up_after_a_while(monkeypatch):
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limits = _Limits()
    assert not limits.exceeded(b"x" * 1_048_575)
    now += 5
    assert not limits.exceeded(b"")
    now += 0.1
    assert limits.exceeded(b"")


def test_a_page_that_is_too_large_is_given_up_at_once():
    assert _Limits().exceeded(b"x" * 1_048_576)


@pytest.mark.usefixtures("revoked")
def test_many_tasks_of_trio_make_one_renewal(client, api, source):
    statuses = []

    async def call(http):
        statuses.append((await http.get(api.url)).status_code)

    async def herd():
        limits = httpx.Limits(max_connections=None)
        http = httpx.AsyncClient(auth=TalendAuth(client), trust_env=False, timeout=30, limits=limits)
        async with http, trio.open_nursery() as nursery:
            for _ in range(60):
                nursery.start_soon(call, http)

    trio.run(herd)
    assert statuses == [200] * 60
    assert source.renewals == ["v1"]


def test_an_empty_file_is_repeated_too(client, api):
    assert Sync(TalendAuth(client))("PUT", api.url, content=io.BytesIO(b"")).status_code == 200
