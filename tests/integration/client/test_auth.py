"""Each HTTP client sends the right token to the right host, and repeats a request once after a 401."""

import copy
import io
import itertools
import logging
import re
import threading

import pytest

from integration.client.clients import AsyncHttpx, Httpx, Requests, TrioHttpx
from talend_token import BodyNotRepeatable, HostNotAllowed, TokenUnavailable

CLIENTS = [Requests, Httpx, AsyncHttpx, TrioHttpx]
# Only these can send a file or an iterable.
SYNC_CLIENTS = [Requests, Httpx]


@pytest.fixture(params=CLIENTS)
def call(request, client):
    return request.param(client)


@pytest.mark.usefixtures("revoked")
def test_a_second_401_is_returned(call, api, source):
    source.api = None
    assert call("GET", api.url).status_code == 401
    assert api.tokens == ["token-of-v1", "token-of-v2"]


@pytest.mark.usefixtures("revoked")
def test_without_another_token_the_401_is_returned(call, api, source, caplog):
    source.refuse("budget_exhausted", retry_after_seconds=600)
    response = call("GET", api.url)
    assert (response.status_code, response.text) == (401, "no")
    assert api.tokens == ["token-of-v1"]
    (warning,) = [record for record in caplog.records if record.name == "talend_token"]
    assert warning.levelno == logging.WARNING
    assert re.fullmatch(
        r"token secret '\S+': version v1 was rejected .* 600 seconds \(budget_exhausted\)\. .* right Region\.",
        warning.getMessage(),
    )


@pytest.mark.usefixtures("revoked")
@pytest.mark.parametrize("call", [AsyncHttpx, TrioHttpx], indirect=True)
def test_an_event_loop_is_not_blocked_by_the_secret(call, api, source):
    threads = []
    source.on_read = lambda: threads.append(threading.current_thread())
    assert call("GET", api.url).status_code == 200
    assert threads
    assert threading.main_thread() not in threads


def test_a_403_is_returned(call, api, source):
    api.accepted.clear()
    api.refusal = 403
    assert call("GET", api.url).status_code == 403
    assert source.renewals == []


def test_no_token_no_request(call, api, clock):
    clock.advance(minutes=31)
    with pytest.raises(TokenUnavailable, match="expired"):
        call("GET", api.url)
    assert api.calls == []


@pytest.mark.usefixtures("revoked")
def test_the_body_of_a_401_is_not_read_before_the_request_is_repeated(call, api):
    api.endless_refusals = True
    response = call("GET", api.url, timeout=5)
    assert (response.status_code, response.history[0].content) == (200, b"")


# --- bodies ---


class Chunks:
    """Makes a new iterator for each pass."""

    def __iter__(self):
        return iter([b"a", b"b"])


IN_MEMORY = [
    {},
    {"json": {"a": 1}},
    {"data": {"a": "1"}},
    {"content": b"bytes"},
    {"content": "text"},
    {"files": {"file": b"content"}},
]
STREAMED = [
    {"content": io.BytesIO(b"")},
    {"content": io.BytesIO(b"content")},
    {"content": Chunks()},
    {"files": {"file": io.BytesIO(b"content")}},
]


@pytest.mark.parametrize(
    ("call", "body"),
    [*itertools.product(CLIENTS, IN_MEMORY), *itertools.product(SYNC_CLIENTS, STREAMED)],
    indirect=["call"],
)
@pytest.mark.usefixtures("revoked")
def test_a_401_is_answered_by_one_renewal_and_one_repetition(call, api, source, body):
    response = call("POST", api.url, **copy.deepcopy(body))
    assert response.status_code == 200
    assert api.tokens == ["token-of-v1", "token-of-v2"]
    assert [earlier.status_code for earlier in response.history] == [401]
    assert response.request.headers["Authorization"] == "Bearer token-of-v2"
    assert source.renewals == ["v1"]
    first, second = api.calls
    assert first.body == second.body
    assert (first.body == b"") == (body is IN_MEMORY[0] or body is STREAMED[0])
    assert first.headers.get("content-type") == second.headers.get("content-type")


def generator():
    yield b"a"


async def async_generator():
    yield b"a"


@pytest.mark.parametrize(
    ("call", "body"),
    [(Requests, generator), (Httpx, generator), (AsyncHttpx, async_generator), (TrioHttpx, async_generator)],
    indirect=["call"],
)
def test_a_body_that_cannot_be_sent_twice_is_refused_unsent(call, api, body):
    with pytest.raises(BodyNotRepeatable, match=r"POST request cannot be sent a second time.*Use bytes or a file"):
        call("POST", api.url, content=body())
    assert api.calls == []


# --- where tokens go ---


@pytest.mark.usefixtures("revoked")
def test_a_successful_post_is_not_repeated_for_its_redirects_401(call, api):
    api.accepted.add("token-of-v1")
    api.redirects["/create"] = "/result"
    api.redirect_status = 303
    api.on_call = lambda: api.calls[-1].path == "/result" and api.accepted.discard("token-of-v1")
    assert call("POST", f"{api.url}/create", content=b"x").status_code == 200
    assert [f"{call.method} {call.path}" for call in api.calls] == ["POST /create", "GET /result", "GET /result"]
    assert api.tokens == ["token-of-v1", "token-of-v1", "token-of-v2"]


def test_a_redirect_to_another_host_carries_no_token(call, api, other_host, source):
    api.redirects["/"] = f"{other_host.url}/elsewhere"
    response = call("GET", api.url)
    assert (response.status_code, str(response.url)) == (401, f"{other_host.url}/elsewhere")
    assert other_host.tokens == [None]
    assert source.renewals == []


def test_a_token_is_not_sent_to_another_host(call, api, other_host):
    with pytest.raises(HostNotAllowed, match=f"the token is for {api.url} and is not sent to {other_host.url}"):
        call("GET", other_host.url)
    assert other_host.calls == []


@pytest.mark.parametrize("adapter", CLIENTS)
def test_a_token_is_sent_to_another_host_if_the_user_says_so(client, other_host, adapter):
    other_host.accepted.add("token-of-v1")
    assert adapter(client, also_for=[other_host.url])("GET", other_host.url).status_code == 200


@pytest.mark.usefixtures("revoked")
def test_a_renewed_token_for_another_api_is_not_sent_to_the_old_one(call, api, source):
    def moved():
        source.api_url = "https://api.us.cloud.talend.com"
        return source._renew()

    source.on_renew = moved
    assert call("GET", api.url).status_code == 401
    assert api.tokens == ["token-of-v1"]


def test_other_authentication_is_left_alone(call, other_host, source):
    call("GET", other_host.url, headers={"Authorization": "Basic mine"})
    call("GET", other_host.url, auth=("user", "password"))
    sent = [call.headers["authorization"] for call in other_host.calls]
    assert sent == ["Basic mine", "Basic dXNlcjpwYXNzd29yZA=="]
    assert source.reads == 0
