"""requests with a token: the right one, to the right host, and once more after a 401."""

import copy
import io
import logging
import mmap
import os
import pickle
import re
import tempfile
import threading
import time
from datetime import timedelta

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
def test_a_second_401_is_returned(session, api, source):
    source.publish = type(source).publish.__get__(source)
    response = session.get(api.url)
    assert response.status_code == 401
    assert api.tokens == ["token-of-v1", "token-of-v2"]


@pytest.mark.usefixtures("revoked")
def test_without_another_token_the_401_is_returned(session, api, source, caplog):
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


def test_a_403_is_returned(session, api, source):
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
def test_a_reusable_iterable_is_sent_again(session, api):
    class Chunks:
        def __iter__(self):
            return iter([b"a", b"b"])

    assert session.post(api.url, data=Chunks()).status_code == 200
    assert [call.body for call in api.calls] == [b"ab", b"ab"]


class Progress:
    """A progress bar around a file, without an iterator."""

    def __init__(self, file):
        self._file = file

    def read(self, size=-1):
        return self._file.read(size)

    def seek(self, *position):
        return self._file.seek(*position)

    def tell(self):
        return self._file.tell()

    def __len__(self):
        return 13


class Silent(Progress):
    """Has an iterator, and does not say whether it is seekable, as a SpooledTemporaryFile on Python 3.10."""

    def __iter__(self):
        return iter(self._file)


def _mmap(file):
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@pytest.mark.parametrize("wrapped", [lambda file: file, _mmap, Progress, Silent, io.BufferedReader])
@pytest.mark.parametrize("redirect", [False, True])
@pytest.mark.usefixtures("revoked")
def test_each_kind_of_file_is_rewound_to_where_it_was(session, api, tmp_path, wrapped, redirect):
    if redirect:
        api.redirects["/"] = "/elsewhere"
        api.accepted.add("token-of-v1")
        api.on_call = lambda: api.calls[-1].path == "/" or api.accepted.discard("token-of-v1")
    (tmp_path / "file").write_bytes(b"headercontent")
    with (tmp_path / "file").open("rb") as file:
        body = wrapped(file)
        body.seek(6)
        assert session.put(api.url, data=body).status_code == 200
    assert [call.body for call in api.calls] == [b"content"] * (3 if redirect else 2)


def test_a_spooled_file_is_rewound(session, api):
    with tempfile.SpooledTemporaryFile() as file:
        file.write(b"content")
        file.seek(0)
        session.put(api.url, data=file)
        file.seek(0)
        api.accepted.clear()
        assert session.put(api.url, data=file).status_code == 200
    assert [call.body for call in api.calls] == [b"content"] * 3


class Stream:
    """Can be read and does not know its position, such as an upload that a framework hands on."""

    def read(self, _size=-1):
        return b""

    def __len__(self):
        return 5


class Unseekable(Progress):
    """Says so only when it is asked to seek."""

    def seek(self, *_):
        raise NotImplementedError


class Lying(Progress):
    """Says that it is seekable, and is not."""

    def seekable(self):
        return True

    def tell(self):
        raise OSError


class Honest(Progress):
    """Says that it is not seekable, and ignores a seek."""

    def seekable(self):
        return False


class Asynchronous(Progress):
    """Has to be awaited."""

    def __aiter__(self):
        return self


def _pipe():
    reading, writing = os.pipe()
    os.close(writing)
    return os.fdopen(reading, "rb")


def _of(kind):
    return lambda: kind(io.BytesIO(b"headercontent"))


_USED_UP = [lambda: (chunk for chunk in [b"a"]), lambda: iter([b"a"]), _pipe, Stream]
_USED_UP += [_of(kind) for kind in (Unseekable, Lying, Honest, Asynchronous)]


@pytest.mark.parametrize("body", _USED_UP)
def test_a_body_that_cannot_be_sent_twice_is_refused_unsent(session, api, body):
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
def test_a_repeated_request_says_how_long_it_took(session, api):
    start = time.perf_counter()
    response = session.get(api.url)
    whole = timedelta(seconds=time.perf_counter() - start)
    assert timedelta(0) < response.elapsed < whole
    assert timedelta(0) < response.history[0].elapsed < whole


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


def test_a_redirect_to_another_host_carries_no_token(session, api, other_host, source):
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


@pytest.fixture
def netrc(tmp_path, monkeypatch, session):
    """The user has passwords for some hosts, or for all."""

    def write(text):
        (tmp_path / "netrc").write_text(text)
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        session.trust_env = True

    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    return write


@pytest.fixture(params=["machine 127.0.0.1 login mine password hunter2", "default login mine password hunter2"])
def passwords(request, netrc):
    netrc(request.param)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.usefixtures("passwords")
def test_netrc_does_not_take_the_tokens_place(session, api, status):
    api.redirects |= {"/": "/second", "/second": f"{api.url}/third"}
    api.redirect_status = status
    assert session.get(f"{api.url}/").status_code == 200
    assert api.tokens == ["token-of-v1"] * 3


@pytest.mark.usefixtures("passwords")
def test_a_401_after_a_redirect_is_renewed_despite_netrc(session, api, source):
    api.redirects["/"] = "/second"
    api.on_call = lambda: api.calls[-1].path == "/second" and api.accepted.discard("token-of-v1")
    assert session.get(api.url).status_code == 200
    assert api.tokens == ["token-of-v1", "token-of-v1", "token-of-v2"]
    assert source.renewals == ["v1"]


@pytest.mark.usefixtures("passwords")
def test_netrc_is_for_the_hosts_that_may_not_see_the_token(session, api, other_host, source):
    api.redirects["/"] = f"{other_host.url}/elsewhere"
    assert session.get(api.url).status_code == 401
    assert [call.headers["authorization"] for call in other_host.calls] == ["Basic bWluZTpodW50ZXIy"]
    assert source.renewals == []


@pytest.mark.parametrize("entry", ["machine example.com login a password b", "default login mine password hunter2"])
def test_each_hop_to_an_allowed_host_carries_the_token(client, api, other_host, netrc, session, entry):
    """There and back again."""
    netrc(entry)
    session.auth = TalendAuth(client, also_for=[other_host.url])
    other_host.accepted.add("token-of-v1")
    api.redirects["/"] = f"{other_host.url}/there"
    other_host.redirects["/there"] = f"{api.url}/back"
    assert session.get(api.url).status_code == 200
    assert (api.tokens, other_host.tokens) == (["token-of-v1"] * 2, ["token-of-v1"])


def test_a_hop_back_from_another_host_carries_the_token(session, api, other_host):
    api.redirects["/"] = f"{other_host.url}/there"
    other_host.redirects["/there"] = f"{api.url}/back"
    assert session.get(api.url).status_code == 200
    assert (api.tokens, other_host.tokens) == (["token-of-v1"] * 2, [None])


def test_a_hop_carries_the_newest_token_at_hand(session, api, client, source):
    api.redirects["/"] = "/second"
    first = client.get_token()
    api.on_call = lambda: api.calls[-1].path == "/" and (source.publish(), client.renew(first))
    assert session.get(api.url).status_code == 200
    assert api.tokens[-1] == "token-of-v2"


def test_a_hop_carries_a_newer_token_until_it_expires(session, api, client, source, clock):
    request = session.get(api.url).request
    source.publish(life=10)
    client.renew(request.token)
    clock.advance(seconds=8.5)
    assert request.copy().token.version_id == "v2"
    clock.advance(seconds=0.5)
    assert request.copy().token.version_id == "v1"


def test_a_redirect_without_a_host_raises_the_librarys_error(session, api):
    api.redirects["/"] = "mailto:somebody@example.com"
    with pytest.raises(requests.exceptions.InvalidSchema):
        session.get(api.url)


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
def test_many_threads_retry_once_each_and_renew_once(client, api, source):
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


@pytest.mark.parametrize("way", [lambda answer: pickle.loads(pickle.dumps(answer)), copy.deepcopy])  # noqa: S301
def test_a_copied_answer_has_no_token(session, api, way):
    api.redirects["/"] = "/second"
    answer = way(session.get(api.url, headers={"X": "mine"}))
    assert (answer.text, answer.url, answer.request.method) == ("welcome", f"{api.url}/second", "GET")
    for request in (answer.request, answer.history[0].request):
        assert "Authorization" not in request.headers
        assert request.headers["X"] == "mine"
        assert request.hooks == {"response": []}


def test_a_copied_answer_of_another_host_keeps_its_own_authorization(session, api, other_host, netrc):
    netrc("default login mine password hunter2")
    api.redirects["/"] = f"{other_host.url}/elsewhere"
    answer = copy.deepcopy(session.get(api.url))
    assert answer.request.headers["Authorization"] == "Basic bWluZTpodW50ZXIy"


def test_the_headers_of_a_request_print_their_names_alone(session, api):
    assert repr(session.get(api.url).request.headers).startswith("<headers User-Agent, ")


@pytest.mark.usefixtures("revoked")
def test_an_empty_file_is_repeated_too(session, api):
    assert session.put(api.url, data=io.BytesIO(b"")).status_code == 200
