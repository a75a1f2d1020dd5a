"""httpx with a token, sync and async: the right one, to the right host, and once more after a 401."""

import asyncio
import io
import logging
import os
import re

import httpx
import pytest

from talend_token import BodyNotRepeatable, HostNotAllowed, TokenUnavailable
from talend_token.httpx import TalendAuth


class Sync:
    """Makes one call with httpx.Client."""

    def __init__(self, auth):
        self.auth = auth

    def __call__(self, method, url, **options):
        with httpx.Client(auth=self.auth, trust_env=False) as client:
            return client.request(method, url, **options)


class Async:
    """Makes one call with httpx.AsyncClient."""

    def __init__(self, auth):
        self.auth = auth

    def __call__(self, method, url, **options):
        async def call():
            async with httpx.AsyncClient(auth=self.auth, trust_env=False) as client:
                return await client.request(method, url, **options)

        return asyncio.run(call())


@pytest.fixture(params=[Sync, Async])
def call(request, client):
    return request.param(TalendAuth(client))


@pytest.fixture
def revoked(api, call):
    """v1 has been used, and the API has refused it ever since."""
    assert call("GET", api.url).status_code == 200
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
def test_a_second_401_is_handed_to_the_caller(call, api, source):
    source.publish = type(source).publish.__get__(source)
    assert call("GET", api.url).status_code == 401
    assert api.tokens == ["token-of-v1", "token-of-v2"]


@pytest.mark.usefixtures("revoked")
def test_without_another_token_the_401_is_handed_to_the_caller(call, api, source, caplog):
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


def test_what_can_be_iterated_again_is_sent_again(client, api):
    call = Sync(TalendAuth(client))
    call("GET", api.url)
    api.accepted.clear()
    assert call("POST", api.url, content=[b"a", b"b"]).status_code == 200
    assert [call.body for call in api.calls[1:]] == [b"ab", b"ab"]


@pytest.mark.usefixtures("revoked")
def test_a_post_that_succeeded_is_not_repeated_for_the_401_of_what_it_leads_to(call, api):
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
def test_a_body_that_cannot_be_sent_twice_is_refused_before_it_is_sent(client, api, body):
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


def test_a_stream_of_the_users_own_that_cannot_be_sent_twice_is_refused_before_it_is_sent(client, api):
    request = httpx.Request("POST", api.url, stream=Once())
    with httpx.Client(auth=TalendAuth(client), trust_env=False) as http, pytest.raises(BodyNotRepeatable, match="POST"):
        http.send(request)
    assert api.calls == []


def test_a_multipart_upload_from_a_pipe_is_refused_before_it_is_sent(client, api):
    with _pipe() as pipe, pytest.raises(BodyNotRepeatable, match="POST request"):
        Sync(TalendAuth(client))("POST", api.url, files={"file": ("name", pipe)})
    assert api.calls == []


def test_a_redirect_to_another_host_carries_no_token_and_its_401_is_not_ours(call, api, other_host, source):
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


def test_many_tasks_that_see_one_401_each_retry_once_and_make_one_renewal(client, api, source):
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


def test_an_empty_file_is_repeated_too(client, api):
    assert Sync(TalendAuth(client))("PUT", api.url, content=io.BytesIO(b"")).status_code == 200
