"""requests with a token: the right one, to the right host, and once more after a 401."""

import io
import logging
import os
import re
import threading

import pytest
import requests

from doubles.threads import in_threads
from talend_token import BodyNotRepeatable, HostNotAllowed, NotConfigured, TokenUnavailable
from talend_token.requests import TalendAuth


@pytest.fixture
def session(client):
    with requests.Session() as session:
        session.trust_env = False
        session.auth = TalendAuth(client)
        yield session


@pytest.fixture
def revoked(api, session):
    """The session has used v1, which the API has refused ever since."""
    assert session.get(api.url).status_code == 200
    api.accepted.clear()
    api.calls.clear()


def test_a_request_carries_the_published_token(session, api):
    response = session.get(f"{api.url}/path?query=1")
    assert (response.status_code, response.text) == (200, "welcome")
    assert api.tokens == ["token-of-v1"]


@pytest.mark.usefixtures("revoked")
def test_a_401_is_answered_by_one_renewal_and_one_repetition(session, api, source):
    response = session.get(api.url)
    assert response.status_code == 200
    assert api.tokens == ["token-of-v1", "token-of-v2"]
    assert [earlier.status_code for earlier in response.history] == [401]
    assert response.request.headers["Authorization"] == "Bearer token-of-v2"
    assert source.renewals == ["v1"]


@pytest.mark.usefixtures("revoked")
def test_a_second_401_is_handed_to_the_caller(session, api, source):
    source.publish = type(source).publish.__get__(source)
    response = session.get(api.url)
    assert response.status_code == 401
    assert api.tokens == ["token-of-v1", "token-of-v2"]


@pytest.mark.usefixtures("revoked")
def test_without_another_token_the_401_is_handed_to_the_caller(session, api, source, caplog):
    source.refuse("budget_exhausted", retry_after_seconds=600)
    response = session.get(api.url)
    assert (response.status_code, response.text) == (401, "no")
    assert api.tokens == ["token-of-v1"]
    (warning,) = [record for record in caplog.records if record.name == "talend_token"]
    assert warning.levelno == logging.WARNING
    assert re.fullmatch(
        r"token secret '\S+': version v1 was rejected .* budget_exhausted, for 600 seconds\. .* Region's\.",
        warning.getMessage(),
    )


def test_a_403_is_handed_to_the_caller(session, api, source):
    api.redirects["/"] = ""
    api.answer = lambda handler: (
        handler.send_response(403),
        handler.send_header("Content-Length", "0"),
        handler.end_headers(),
    )
    assert session.get(api.url).status_code == 403
    assert source.renewals == []


def test_no_token_no_request(session, api, clock):
    clock.advance(minutes=31)
    with pytest.raises(TokenUnavailable, match="expired"):
        session.get(api.url)
    assert api.calls == []


# --- what is repeated ---


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"a": 1}},
        {"data": {"a": "1"}},
        {"data": b"bytes"},
        {"data": "text"},
        {"data": bytearray(b"bytes")},
        {"files": {"file": b"content"}},
    ],
)
@pytest.mark.usefixtures("revoked")
def test_a_body_in_memory_is_sent_again(session, api, body):
    assert session.post(api.url, **body).status_code == 200
    first, second = api.calls
    assert first.body == second.body != b""
    assert first.headers.get("content-type") == second.headers.get("content-type")


@pytest.mark.usefixtures("revoked")
def test_a_file_is_rewound_to_where_it_was(session, api, tmp_path):
    (tmp_path / "file").write_bytes(b"headercontent")
    with (tmp_path / "file").open("rb") as file:
        file.read(6)
        assert session.put(api.url, data=file).status_code == 200
    assert [call.body for call in api.calls] == [b"content", b"content"]


@pytest.mark.usefixtures("revoked")
def test_what_can_be_iterated_again_is_sent_again(session, api):
    class Chunks:
        def __iter__(self):
            return iter([b"a", b"b"])

    assert session.post(api.url, data=Chunks()).status_code == 200
    assert [call.body for call in api.calls] == [b"ab", b"ab"]


class Stream:
    """What can be read and says nothing of its position, such as an upload that some framework hands on."""

    def read(self, _size=-1):
        return b""

    def __len__(self):
        return 5


def _pipe():
    reading, writing = os.pipe()
    os.close(writing)
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("body", [lambda: (chunk for chunk in [b"a"]), lambda: iter([b"a"]), _pipe, Stream])
def test_a_body_that_cannot_be_sent_twice_is_refused_before_it_is_sent(session, api, body):
    data = body()
    with pytest.raises(BodyNotRepeatable, match=r"POST request cannot be sent a second time.*Give bytes or a file"):
        session.post(api.url, data=data)
    assert api.calls == []
    getattr(data, "close", lambda: None)()


@pytest.mark.usefixtures("revoked")
def test_a_streamed_answer_is_closed_before_the_request_is_repeated(session, api):
    with session.get(api.url, stream=True) as response:
        assert response.content == b"welcome"
        assert response.history[0].raw.closed


@pytest.mark.usefixtures("revoked")
def test_time_outs_and_cookies_are_those_of_the_first_request(session, api, monkeypatch):
    sent = []
    send = requests.adapters.HTTPAdapter.send
    monkeypatch.setattr(
        requests.adapters.HTTPAdapter, "send", lambda *a, **options: (sent.append(options), send(*a, **options))[1]
    )
    api.cookie = "session=1"
    assert session.get(api.url, timeout=7).status_code == 200
    assert [options["timeout"] for options in sent] == [7, 7]
    assert api.calls[1].headers["cookie"] == "session=1"
    assert session.cookies["session"] == "1"


# --- where tokens go ---


def test_a_redirect_on_the_same_host_keeps_the_token(session, api):
    api.redirects["/old"] = "/new"
    assert session.get(f"{api.url}/old").status_code == 200
    assert api.tokens == ["token-of-v1", "token-of-v1"]


def test_a_redirect_to_another_host_carries_no_token_and_its_401_is_not_ours(session, api, other_host, source):
    api.redirects["/"] = f"{other_host.url}/elsewhere"
    response = session.get(api.url)
    assert (response.status_code, response.url) == (401, f"{other_host.url}/elsewhere")
    assert other_host.tokens == [None]
    assert source.renewals == []


@pytest.mark.usefixtures("revoked")
def test_a_redirect_after_a_renewal_carries_the_new_token(session, api, source):
    api.redirects["/new"] = "/newer"
    api.accepted.clear()
    assert session.get(f"{api.url}/new").status_code == 200
    assert api.tokens[-1] == "token-of-v2"
    assert source.renewals == ["v1"]


def test_a_token_is_not_sent_to_another_host(session, api, other_host):
    with pytest.raises(HostNotAllowed, match=f"the token is for {api.url} and is not sent to {other_host.url}"):
        session.get(other_host.url)
    assert other_host.calls == []


def test_a_token_is_sent_to_another_host_if_the_user_says_so(client, other_host):
    other_host.accepted.add("token-of-v1")
    assert (
        requests.get(other_host.url, auth=TalendAuth(client, also_for=[other_host.url]), timeout=5).status_code == 200
    )


@pytest.mark.usefixtures("revoked")
def test_a_renewed_token_for_another_api_is_not_sent_to_the_old_one(session, api, source):
    def moved():
        source.api_url = "https://api.us.cloud.talend.com"
        return source._renew()

    source.on_renew = moved
    assert session.get(api.url).status_code == 401
    assert api.tokens == ["token-of-v1"]


def test_other_authentication_is_left_alone(session, other_host, source):
    session.get(other_host.url, headers={"Authorization": "Basic mine"})
    session.get(other_host.url, auth=("user", "password"))
    assert [call.headers["authorization"] for call in other_host.calls] == ["Basic mine", "Basic dXNlcjpwYXNzd29yZA=="]
    assert source.reads == 0


def test_a_proxys_credentials_are_left_alone(session, api, other_host):
    other_host.accepted.add("token-of-v1")
    proxy = other_host.url.replace("http://", "http://user:password@")
    assert session.get(f"{api.url}/path", proxies={"http": proxy}).status_code == 200
    (call,) = other_host.calls
    assert call.path == f"{api.url}/path"
    assert call.headers["proxy-authorization"] == "Basic dXNlcjpwYXNzd29yZA=="


# --- many at once, and nothing said ---


@pytest.mark.usefixtures("revoked")
def test_many_threads_that_see_one_401_each_retry_once_and_make_one_renewal(client, api, source):
    auth = TalendAuth(client)
    both = threading.Barrier(100)
    first_answers = iter(range(100))

    def together():
        # All of them have sent the first token before the first one is told that it is refused.
        if next(first_answers, None) is not None:
            both.wait(30)

    api.on_call = together
    ends = in_threads(lambda: requests.get(api.url, auth=auth, timeout=30).status_code, 100)
    assert ends == [200] * 100
    assert (source.renewals, len(api.calls)) == (["v1"], 200)


def test_without_a_source_the_environment_has_to_name_one(monkeypatch):
    for name in ("TALEND_ACCESS_TOKEN", "TALEND_TOKEN_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NotConfigured, match="Set TALEND_TOKEN_SECRET"):
        TalendAuth()


@pytest.mark.usefixtures("revoked")
def test_no_printed_form_shows_a_token(session, api, source, caplog):
    source.refuse("too_soon")
    response = session.get(api.url)
    assert "token-of" not in repr(session.auth) + repr(response) + repr(vars(session.auth)) + caplog.text


@pytest.mark.usefixtures("revoked")
def test_an_empty_file_is_repeated_too(session, api):
    assert session.put(api.url, data=io.BytesIO(b"")).status_code == 200
