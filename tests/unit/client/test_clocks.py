"""A wrong clock never lets a client return an expired token, and clocks that a consumer's tests stop are followed."""

import time

import pytest
import time_machine

from doubles import InMemoryTokenSource
from doubles.clock import START
from talend_token import RenewalFailed, TokenClient, TokenUnavailable

# --- clocks that are wrong ---


@pytest.mark.parametrize("skew", [-3600, -120, 120, 3600])
def test_a_wrong_wall_clock_does_no_harm(machine, client, source, aws_clock, skew):
    machine.skew_seconds = skew
    assert client.get_token().version_id == "v1"
    aws_clock.advance(minutes=24)
    assert client.get_token().version_id == "v1"
    assert source.reads == 1
    aws_clock.advance(minutes=5, seconds=57)
    assert client.get_token().version_id == "v1"
    aws_clock.advance(seconds=4)
    with pytest.raises(TokenUnavailable):
        client.get_token()


@pytest.mark.parametrize("fault", ["skew_seconds", "slept_seconds"])
def test_a_clock_that_is_set_back_or_sleeps_does_not_prolong_a_token(machine, client, source, aws_clock, fault):
    """The machine's other clock is right, so the token expires on time."""
    client.get_token()
    source.outage = TokenUnavailable("down")
    setattr(machine, fault, {"skew_seconds": -120, "slept_seconds": 120}[fault])
    aws_clock.advance(seconds=1798.75)
    assert client.get_token().version_id == "v1"
    aws_clock.advance(seconds=0.25)
    with pytest.raises(TokenUnavailable):
        client.get_token()


@pytest.mark.parametrize("skew", [0, -120])
def test_without_a_date_the_machines_clock_counts_from_issued_at(machine, client, source, aws_clock, skew):
    source.says_when = False
    machine.skew_seconds = skew
    client.get_token()
    aws_clock.advance(minutes=30)
    with pytest.raises(TokenUnavailable):
        client.get_token()


@pytest.mark.parametrize("says_when", [True, False])
def test_a_slow_read_does_not_extend_the_validity(client, source, aws_clock, says_when):
    source.says_when = says_when
    source.on_read = lambda: aws_clock.advance(seconds=10)
    token = client.get_token()
    source.on_read = lambda: None
    # The duration of the read is subtracted, which is on the safe side.
    aws_clock.now = token.expires_at - 12
    client.get_token()
    aws_clock.now = token.expires_at
    with pytest.raises(TokenUnavailable):
        client.get_token()


def test_an_answer_dated_before_the_token_was_issued_is_not_believed(client, source, aws_clock):
    source.date = -365 * 86_400
    client.get_token()
    # This includes its second read.
    aws_clock.advance(minutes=30, seconds=1)
    with pytest.raises(TokenUnavailable):
        client.get_token()


# --- clocks that a consumer's tests stop ---


def test_a_token_ages_with_the_clock_of_a_test():
    """time-machine moves only the wall clock. The client is older than that."""
    source = InMemoryTokenSource(lambda: time.time())
    client = TokenClient(source)
    with time_machine.travel(START, tick=False) as clock:
        source.publish()
        for minutes in (0, 24):
            clock.shift(minutes * 60)
            assert (client.get_token().version_id, source.reads) == ("v1", 1)
        clock.shift(16 * 60)
        with pytest.raises(TokenUnavailable, match=r"version v1, .* expired"):
            client.get_token()


def test_a_renewal_gives_up_although_the_clock_stands_still(source, aws_clock, monkeypatch):
    """Tests replace functions of the module after the client is created."""
    client = TokenClient(source)
    for name, function in (("time", aws_clock), ("monotonic", aws_clock), ("sleep", aws_clock.slept.append)):
        monkeypatch.setattr(time, name, function)
    source.refuse("in_progress")
    with pytest.raises(RenewalFailed, match="within 30 seconds"):
        client.renew(client.get_token())
    assert 25 < sum(aws_clock.slept) <= 30
