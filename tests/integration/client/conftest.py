"""An API, the source of the tokens that it accepts, and a client of it."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from doubles import Clock, InMemoryTokenSource
from integration.client.clients import Requests
from loopback import HttpHandler, LoopbackServer
from talend_token import TokenClient


class Api:
    """Answers 200 to an accepted token and `refusal` to any other; a path of `redirects` is answered with one."""

    def __init__(self):
        self.url = ""
        self.accepted = set()
        self.redirects = {}
        self.redirect_status = 307
        self.refusal = 401
        self.endless_refusals = False
        """Their bodies never end."""
        self.cookie = ""
        """Set by each refusal."""
        self.on_call = lambda: None
        self.calls = []
        """The requests as they arrived, with the names of their headers in lower case."""

    def answer(self, handler, body):
        headers = {name.lower(): value for name, value in handler.headers.items()}
        kind, _, token = headers.get("authorization", "").partition(" ")
        call = SimpleNamespace(method=handler.command, path=handler.path, headers=headers, body=body)
        call.token = token if kind == "Bearer" else None
        self.calls.append(call)
        self.on_call()
        if call.path in self.redirects:
            handler.send(self.redirect_status, {"Location": self.redirects[call.path]})
        elif call.token in self.accepted:
            handler.send(200, {}, b"welcome")
        elif self.endless_refusals:
            handler.send(self.refusal, {"Content-Length": str(10**12)})
            while True:
                handler.wfile.write(b"no" * 1000)
        else:
            handler.send(self.refusal, {"Set-Cookie": self.cookie} if self.cookie else {}, b"no")

    @property
    def tokens(self):
        """The token of each call so far."""
        return [call.token for call in self.calls]


@contextmanager
def talend_api():
    """A running API on a port of this machine."""
    api = Api()

    class Handler(HttpHandler):
        def answer(self, body):
            api.answer(self, body)

    with LoopbackServer(Handler) as server:
        api.url = f"http://127.0.0.1:{server.port}"
        yield api


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def api():
    with talend_api() as api:
        yield api


@pytest.fixture
def other_host():
    """Another host, which is another port of this machine."""
    with talend_api() as api:
        yield api


class AcceptedTokenSource(InMemoryTokenSource):
    """A source for whose API each published token is valid until a test revokes it."""

    def __init__(self, clock, api):
        super().__init__(clock, api_url=api.url)
        self.api = api
        self.publish()

    def publish(self, **how):
        token = super().publish(**how)
        if self.api:
            self.api.accepted.add(token.access_token)
        return token


@pytest.fixture
def source(clock, api):
    return AcceptedTokenSource(clock, api)


@pytest.fixture
def client(clock, source):
    return TokenClient(source, clock=clock, monotonic=clock, sleep=clock.sleep)


@pytest.fixture
def call(client):
    return Requests(client)


@pytest.fixture
def revoked(api, call):
    """Use v1 once, then revoke it."""
    assert call("GET", api.url).status_code == 200
    api.accepted.clear()
    api.calls.clear()
