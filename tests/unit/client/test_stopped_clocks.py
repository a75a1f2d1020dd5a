"""A client follows the clocks of the module `time`, also if a consumer's tests stop and move them."""

import time
from contextlib import contextmanager
from datetime import datetime, timedelta

import freezegun
import pytest
import time_machine

from doubles import InMemoryTokenSource
from talend_token import RenewalFailed, TokenClient, TokenUnavailable

START = datetime(2026, 11, 23, 22, 29, 49)  # noqa: DTZ001 (freezegun takes it for UTC)


@contextmanager
def with_freezegun():
    """Move all clocks."""
    with freezegun.freeze_time(START) as clocks:
        yield lambda seconds: clocks.tick(timedelta(seconds=seconds))


@contextmanager
def with_time_machine():
    """Move only the wall clock."""
    with time_machine.travel(START.isoformat() + "+00:00", tick=False) as clocks:
        yield clocks.shift


@contextmanager
def with_patches():
    """Replace the functions of the module, as `unittest.mock.patch("time.time")` does."""
    now = [START.timestamp()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: now[0])
        patch.setattr(time, "monotonic", lambda: now[0])
        yield lambda seconds: now.__setitem__(0, now[0] + seconds)


@pytest.fixture(params=[with_freezegun, with_time_machine, with_patches])
def stopped(request):
    """A block in which the clocks stand still; it yields what moves them."""
    return request.param


@pytest.fixture
def source():
    return InMemoryTokenSource(lambda: time.time())


@pytest.mark.parametrize("made", ["before", "after"])
def test_a_token_ages_with_the_clock_of_a_test(stopped, source, made):
    client = TokenClient(source)
    with stopped() as advance:
        source.publish()
        if made == "after":
            client = TokenClient(source)
        assert client.get_token().version_id == "v1"
        advance(24 * 60)
        assert client.get_token().version_id == "v1"
        assert source.reads == 1
        advance(16 * 60)
        with pytest.raises(TokenUnavailable, match=r"version v1, .* expired"):
            client.get_token()
        source.publish()
        assert client.get_token().version_id == "v2"


def test_a_renewal_gives_up_although_the_clock_stands_still(stopped, source, monkeypatch):
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with stopped():
        source.publish()
        client = TokenClient(source)
        token = client.get_token()
        source.refuse("in_progress")
        with pytest.raises(RenewalFailed, match="within 30 seconds"):
            client.renew(token)
    assert 25 < sum(slept) <= 30
