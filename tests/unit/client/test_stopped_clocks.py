"""A client follows the clocks of the module `time`, also if a consumer's tests stop and move them."""

import time
from datetime import datetime, timedelta

import freezegun
import pytest
import time_machine

from doubles import InMemoryTokenSource
from talend_token import RenewalFailed, TokenClient, TokenUnavailable

START = datetime(2026, 11, 23, 22, 29, 49)  # noqa: DTZ001 (freezegun takes it for UTC)


class Freezegun:
    """Moves all clocks."""

    def __init__(self):
        self._freezer = freezegun.freeze_time(START)

    def __enter__(self):
        self._clocks = self._freezer.start()
        return self

    def __exit__(self, *_):
        self._freezer.stop()

    def advance(self, seconds):
        self._clocks.tick(timedelta(seconds=seconds))


class TimeMachine:
    """Moves only the wall clock."""

    def __init__(self):
        self._traveller = time_machine.travel(START.isoformat() + "+00:00", tick=False)

    def __enter__(self):
        self._clocks = self._traveller.start()
        return self

    def __exit__(self, *_):
        self._traveller.stop()

    def advance(self, seconds):
        self._clocks.shift(seconds)


class Patched:
    """Replaces the functions of the module, as `unittest.mock.patch("time.time")` does."""

    def __init__(self):
        self._patch = pytest.MonkeyPatch()

    def __enter__(self):
        self._now = START.timestamp()
        self._patch.setattr(time, "time", lambda: self._now)
        self._patch.setattr(time, "monotonic", lambda: self._now)
        return self

    def __exit__(self, *_):
        self._patch.undo()

    def advance(self, seconds):
        self._now += seconds


@pytest.fixture(params=[Freezegun, TimeMachine, Patched])
def clocks(request):
    """Clocks that have not been stopped yet."""
    return request.param()


@pytest.fixture
def source():
    return InMemoryTokenSource(lambda: time.time())


@pytest.fixture(params=["before", "after"])
def made(request):
    """Whether a client is created before or after the clocks are stopped."""
    return request.param


def test_a_token_ages_with_the_clock_of_a_test(clocks, source, made):
    client = TokenClient(source)
    with clocks:
        source.publish()
        if made == "after":
            client = TokenClient(source)
        assert client.get_token().version_id == "v1"
        clocks.advance(24 * 60)
        assert client.get_token().version_id == "v1"
        assert source.reads == 1
        clocks.advance(16 * 60)
        with pytest.raises(TokenUnavailable, match=r"version v1, .* expired"):
            client.get_token()
        source.publish()
        assert client.get_token().version_id == "v2"


def test_a_renewal_gives_up_although_the_clock_stands_still(clocks, source, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with clocks:
        source.publish()
        client = TokenClient(source)
        token = client.get_token()
        source.refuse("in_progress")
        with pytest.raises(RenewalFailed, match="within 30 seconds"):
            client.renew(token)
    assert 25 < sum(slept) <= 30


def test_a_client_with_a_clock_of_its_own_keeps_it(clocks, source):
    client = TokenClient(source, clock=lambda: 5.0)
    source.says_when = False
    source.publish()
    client.get_token()
    with clocks:
        clocks.advance(86_400)
        assert client._time.time() == 5.0
