"""An API, the source of the tokens that it accepts, and a client of it."""

import pytest

from doubles import Clock, InMemoryTokenSource
from doubles.api import talend_api
from integration.client.clients import Requests
from talend_token import TokenClient


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
