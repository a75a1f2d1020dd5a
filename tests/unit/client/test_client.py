"""A client returns tokens only while they are valid, and reads the secret as rarely as it can."""

import logging
import math
import os
import time
from itertools import pairwise

import pytest

from doubles.threads import in_threads
from talend_token import RenewalFailed, TokenUnavailable

# --- FRESH ---


def test_the_first_token_is_read_when_it_is_needed(client, source, aws_clock):
    assert source.reads == 0
    token = client.get_token()
    assert (token.access_token, token.version_id) == ("token-of-v1", "v1")
    assert token.api_url == "https://api.eu.cloud.talend.com"
    assert token.expires_at == math.floor(aws_clock()) + 1800
    assert source.reads == 1
    assert repr(client) == "TokenClient(token secret 'talend-token/default/token')"
    assert repr(type(client).__new__(type(client))) == "TokenClient(not configured)"


def test_a_fresh_token_costs_no_input_or_output_and_no_lock(client, source, aws_clock):
    first = client.get_token()
    source.publish()
    # Until five minutes before its expiry, less the second by which answers are rounded.
    aws_clock.advance(minutes=25, seconds=-2)
    client._state = None
    assert client.get_token() is first
    assert source.reads == 1


@pytest.mark.parametrize(("life", "seconds", "reads"), [(1800, 1498.75, 1), (1800, 1499, 2), (60, 48, 1), (60, 51, 2)])
def test_a_token_is_fresh_until_five_minutes_or_a_sixth_before_its_end(either, source, aws_clock, life, seconds, reads):
    source.publish(life=life)
    either.get_token()
    aws_clock.advance(seconds=seconds)
    either.get_token()
    assert source.reads == reads


# --- STALE ---


@pytest.fixture
def stale(client, aws_clock):
    """The client holds v1, which is valid for two more minutes."""
    client.get_token()
    aws_clock.advance(minutes=28)
    return client


def test_a_stale_token_is_read_again_after_the_pause(either, source, aws_clock, jitter):
    either.get_token()
    aws_clock.advance(minutes=28)
    for seconds, reads in ((0, 2), (5 * jitter - 0.25, 2), (0.25, 3)):
        aws_clock.advance(seconds=seconds)
        assert either.get_token().version_id == "v1"
        assert source.reads == reads


def test_a_successor_that_expires_at_the_same_moment_is_used(stale, source):
    assert source.publish(life=120).expires_at == source.published[0].token.expires_at
    assert stale.get_token().version_id == "v2"


def test_other_callers_keep_a_stale_token_while_one_reads(stale, source, under_way):
    def read(wait):
        source.on_read = wait
        stale.get_token()

    with under_way(read):
        assert {end.version_id for end in in_threads(stale.get_token, 50)} == {"v1"}
    assert source.reads == 2


def test_a_valid_token_outlasts_an_outage_of_secrets_manager(stale, source, aws_clock, caplog):
    source.outage = TokenUnavailable("token secret: InternalServiceError")
    for _ in range(118):
        assert stale.get_token().version_id == "v1"
        aws_clock.advance(seconds=1)
    assert "its successor cannot be read: token secret: InternalServiceError" in caplog.text
    assert {(record.name, record.levelno) for record in caplog.records} == {("talend_token", logging.WARNING)}


def test_reads_become_rarer_while_secrets_manager_fails(machine, source, aws_clock, jitter):
    source.publish(life=7200)
    client, moments = machine.client(source), []
    client.get_token()
    aws_clock.advance(minutes=115)
    source.outage = TokenUnavailable("down")
    source.on_read = lambda: moments.append(aws_clock())
    for _ in range(1150):
        client.get_token()
        aws_clock.advance(seconds=0.25)
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert pauses[:4] == [10 * jitter, 20 * jitter, 40 * jitter, 60 * jitter]


@pytest.mark.parametrize(("outage", "problem"), [(None, r"version v1, .* expired at"), ("down", "down")])
def test_a_read_that_outlasts_the_token_returns_nothing_expired(stale, source, aws_clock, outage, problem):
    source.outage = TokenUnavailable(outage) if outage else None
    source.on_read = lambda: aws_clock.advance(seconds=119)
    with pytest.raises(TokenUnavailable, match=problem):
        stale.get_token()


# --- INVALID ---


def test_a_token_is_returned_until_the_moment_it_expires(either, source, aws_clock):
    either.get_token()
    source.outage = TokenUnavailable("down")
    aws_clock.advance(seconds=1798.75)
    assert either.get_token().version_id == "v1"
    assert either.get_token(min_remaining=0.125).version_id == "v1"


def test_an_expired_token_is_never_returned(either, source, aws_clock, caplog):
    either.get_token()
    source.outage = TokenUnavailable("down")
    aws_clock.advance(seconds=1799)
    with pytest.raises(TokenUnavailable, match="down"):
        either.get_token()
    # It is not taken for a STALE token, whose successor would be read first.
    assert (source.reads, caplog.records) == (2, [])


def test_the_error_names_what_is_published_and_since_when(client, aws_clock):
    # The first moment at which the token counts as expired.
    aws_clock.advance(seconds=1799)
    with pytest.raises(TokenUnavailable) as caught:
        client.get_token()
    assert str(caught.value) == (
        "token secret 'talend-token/default/token': version v1, published since 2026-11-23T22:29:49Z, expired at "
        "2026-11-23T22:59:49Z, and no newer token is published. The rotate function's log says why."
    )


def test_many_threads_with_an_expired_token_make_one_read(client, source, aws_clock):
    client.get_token()
    aws_clock.advance(minutes=31)
    source.publish()
    source.on_read = lambda: time.sleep(0.05)
    assert {end.version_id for end in in_threads(client.get_token)} == {"v2"}
    assert source.reads == 2


def test_a_read_that_ended_just_now_is_not_made_again(client, source):
    """A thread without a token may start a read just after another thread's read has ended."""
    flights = client._state.flights
    make = flights.do

    def late(key, call):
        flights.do = make
        client.get_token()
        make(key, call)

    flights.do = late
    assert client.get_token().version_id == "v1"
    assert source.reads == 1


def test_an_older_token_of_a_lagging_read_does_not_replace_a_newer(stale, source, aws_clock):
    source.publish(age=60)
    assert stale.get_token().version_id == "v2"
    aws_clock.advance(minutes=25)
    source.stale_reads = 1
    assert stale.get_token().version_id == "v2"


# --- how long a caller needs it ---


def test_min_remaining_finds_a_published_token_that_lasts(either, source, aws_clock):
    either.get_token()
    aws_clock.advance(minutes=20)
    assert either.get_token(min_remaining=590).version_id == "v1"
    assert source.reads == 1
    source.publish()
    assert either.get_token(min_remaining=700).version_id == "v2"


@pytest.mark.parametrize(("age", "left", "asked"), [(1200, 599, 599), (1798.25, 1, 5)])
def test_a_published_token_that_is_too_short_is_reported(client, aws_clock, age, left, asked):
    client.get_token()
    aws_clock.advance(seconds=age)
    with pytest.raises(TokenUnavailable, match=rf"v1, .* valid for {left} more seconds, but {asked} were requested"):
        client.get_token(min_remaining=asked)


@pytest.mark.parametrize("min_remaining", [-1, -0.5, math.nan])
def test_min_remaining_may_not_be_negative(either, aws_clock, min_remaining):
    """Neither without a token nor with a FRESH or a STALE one."""
    for minutes in (0, 0, 28):
        aws_clock.advance(minutes=minutes)
        with pytest.raises(ValueError, match="min_remaining"):
            either.get_token(min_remaining)
        either.get_token()


def test_a_forked_process_starts_afresh_but_for_the_token(stale, source, monkeypatch):
    """It would wait for its parent's threads, whose calls its copy of the state has under way."""

    def renew():
        with pytest.raises(RenewalFailed):
            stale.renew(source.published[0].token)

    source.refuse("too_soon", retry_after_seconds=40)
    # Each process reads at once and invokes at once, although the one before it has just done so.
    for process, (call, renewals) in enumerate([(stale.get_token, 0), (stale.get_token, 0), (renew, 1), (renew, 2)]):
        monkeypatch.setattr(os, "getpid", lambda process=process: process)
        call()
        assert (source.reads, len(source.renewals)) == (process + 2, renewals)
