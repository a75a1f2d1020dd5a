"""An API, the source of the tokens that it accepts, and a client of it."""

import pytest

from doubles import Clock, InMemoryTokenSource
from doubles.api import talend_api
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


@pytest.fixture
def source(clock, api):
    """A source for whose API each published token is valid until a test revokes it."""
    source = InMemoryTokenSource(clock, api_url=api.url)
    publish = source.publish

    def published_and_accepted(**how):
        token = publish(**how)
        api.accepted.add(token.access_token)
        return token

    source.publish = published_and_accepted
    source.publish()
    return source


@pytest.fixture
def client(clock, source):
    return TokenClient(source, clock=clock, monotonic=clock, sleep=clock.sleep)
