"""Only requests has these: files of many kinds, cookies, netrc, and answers that can be copied."""

import copy
import io
import mmap
import pickle
import time
from datetime import timedelta

import pytest
import requests

from talend_token.requests import TalendAuth


@pytest.fixture
def session(call):
    return call.session


def mapped(file):
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class Progress:
    """A progress bar around a file, with neither an iterator nor `seekable`."""

    def __init__(self, file):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell

    def __len__(self):
        return 13


@pytest.mark.parametrize("wrapped", [io.BufferedReader, mapped, Progress])
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
        getattr(body, "close", file.close)()
    assert [call.body for call in api.calls] == [b"content"] * (3 if redirect else 2)


@pytest.mark.usefixtures("revoked")
def test_a_401_is_closed_before_the_repetition_and_both_are_timed(session, api):
    start = time.perf_counter()
    with session.get(api.url, stream=True) as response:
        whole = timedelta(seconds=time.perf_counter() - start)
        assert response.content == b"welcome"
        assert response.history[0].raw.closed
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


@pytest.fixture
def netrc(tmp_path, monkeypatch, session):
    """Return what writes the passwords of a user for some hosts, or for all."""
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session.trust_env = True
    return (tmp_path / "netrc").write_text


DEFAULT, BASIC = "default login mine password hunter2", "Basic bWluZTpodW50ZXIy"


@pytest.mark.parametrize("entry", ["machine 127.0.0.1 login mine password hunter2", DEFAULT])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_netrc_does_not_take_the_tokens_place(session, api, source, netrc, entry, status):
    netrc(entry)
    api.redirects |= {"/": "/second", "/second": f"{api.url}/third"}
    api.redirect_status = status
    api.on_call = lambda: api.calls[-1].path == "/third" and api.accepted.discard("token-of-v1")
    assert session.get(f"{api.url}/").status_code == 200
    assert api.tokens == ["token-of-v1"] * 3 + ["token-of-v2"]
    assert source.renewals == ["v1"]


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize(("entry", "password"), [("machine example.com login a password b", None), (DEFAULT, BASIC)])
def test_a_hop_to_another_host_and_back(client, api, other_host, netrc, session, allowed, entry, password):
    """A host that may not see the token gets the password that the user has for it."""
    netrc(entry)
    session.auth = TalendAuth(client, also_for=[other_host.url] * allowed)
    api.redirects["/"] = f"{other_host.url}/there"
    other_host.redirects["/there"] = f"{api.url}/back"
    assert session.get(api.url).status_code == 200
    assert api.tokens == ["token-of-v1"] * 2
    (call,) = other_host.calls
    assert call.headers.get("authorization") == ("Bearer token-of-v1" if allowed else password)


def test_a_hop_carries_a_newer_token_until_it_expires(session, api, client, source, clock):
    request = session.get(api.url).request
    source.publish(life=10)
    client.renew(request.token)
    clock.advance(seconds=8.5)
    assert request.copy().token.version_id == "v2"
    clock.advance(seconds=0.5)
    assert request.copy().token.version_id == "v1"


# --- what is shown of it ---


def test_headers_are_printed_without_their_values(session, api):
    assert repr(session.get(api.url).request.headers).startswith("<headers User-Agent, ")


@pytest.mark.parametrize("way", [lambda answer: pickle.loads(pickle.dumps(answer)), copy.deepcopy])  # noqa: S301
def test_a_copied_answer_has_no_token(session, api, way):
    api.redirects["/"] = "/second"
    answer = way(session.get(api.url, headers={"X": "mine"}))
    assert (answer.text, answer.url, answer.request.method) == ("welcome", f"{api.url}/second", "GET")
    for request in (answer.request, answer.history[0].request):
        assert "Authorization" not in request.headers
        assert request.headers["X"] == "mine"
        assert request.hooks == {"response": []}


def test_a_copied_answer_of_another_host_keeps_its_authorization(session, api, other_host, netrc):
    netrc(DEFAULT)
    api.redirects["/"] = f"{other_host.url}/elsewhere"
    answer = copy.deepcopy(session.get(api.url))
    assert answer.request.headers["Authorization"] == BASIC
