"""A token that an API rejected is renewed once for all threads that hold it."""

import pytest

from doubles.threads import in_threads
from talend_token import RenewalFailed, TokenUnavailable


@pytest.fixture
def rejected(client, aws_clock):
    """A token that is FRESH by its expiry, but was rejected."""
    token = client.get_token()
    aws_clock.advance(minutes=10)
    return token


def test_the_renew_function_replaces_the_rejected_version_once(client, source, rejected):
    assert client.renew(rejected).version_id == "v2"
    reads = source.reads
    # A late 401 of the replaced token costs nothing.
    assert client.renew(rejected).version_id == client.get_token().version_id == "v2"
    assert (source.renewals, source.reads) == (["v1"], reads)


def test_reads_for_a_new_token_pause_longer_each_time_with_jitter(client, source, machine, rejected):
    source.on_renew = lambda: (setattr(source, "stale_reads", 6), source._renew())[1]
    assert client.renew(rejected).version_id == "v2"
    shares = [pause / longest for pause, longest in zip(machine.pauses, [0.1, 0.2, 0.4, 0.8, 1.6, 2], strict=True)]
    assert 0.5 <= min(shares) < max(shares) <= 1


@pytest.mark.parametrize("outcome", ["rotated", "superseded", "in_progress"])
def test_a_new_token_that_does_not_show_is_awaited_to_the_deadline(client, source, machine, rejected, outcome):
    source.refuse(outcome)
    with pytest.raises(RenewalFailed, match="v1 was rejected, and no other version appeared within 30 s") as caught:
        client.renew(rejected)
    assert caught.value.outcome == "in_progress"
    assert 25 < sum(machine.pauses) <= 30


@pytest.mark.parametrize("is_throttled", [False, True])
def test_a_renewal_in_progress_is_awaited_and_not_invoked_again(machine, source, is_throttled):
    """A throttled invocation means that others renew. The new token shows at the deadline, which is in time."""
    client = machine.client(source, renewal_timeout_seconds=0.1)
    if is_throttled:
        source.fail("throttled", may_show=True)
    else:
        source.refuse("in_progress")
    client._time.sleep = lambda _: source.publish()
    assert client.renew(client.get_token()).version_id == "v2"
    assert source.renewals == ["v1"]


@pytest.mark.parametrize("outcome", ["too_soon", "budget_exhausted", "something_new"])
def test_a_refused_renewal_is_reported_at_once(client, source, machine, rejected, outcome):
    source.refuse(outcome, retry_after_seconds=40)
    with pytest.raises(RenewalFailed, match=rf"v1 was rejected but will not be replaced .* \({outcome}\)") as caught:
        client.renew(rejected)
    assert (caught.value.outcome, caught.value.retry_after_seconds) == (outcome, 40)
    assert machine.pauses == []


@pytest.mark.parametrize("may_show", [True, False])
def test_a_failed_renewal_is_reported_at_once(client, source, machine, rejected, may_show):
    source.fail("failed", may_show=may_show)
    with pytest.raises(RenewalFailed, match="renew: failed"):
        client.renew(rejected)
    # The secret is read again only if the failed function may have published a token.
    assert (source.reads, machine.pauses) == (2 + may_show, [])


@pytest.mark.parametrize(("retry_after_seconds", "remembered_seconds"), [(40, 40), (1500, 60)])
def test_a_refused_renewal_is_not_invoked_before_its_time(
    client, source, rejected, aws_clock, retry_after_seconds, remembered_seconds
):
    source.refuse("too_soon", retry_after_seconds)
    for seconds, invoked in ((0, 1), (remembered_seconds - 1, 1), (1, 2)):
        aws_clock.advance(seconds=seconds)
        with pytest.raises(RenewalFailed, match="too_soon"):
            client.renew(rejected)
        assert client.get_token().version_id == "v1"
        assert len(source.renewals) == invoked
    source.publish()
    assert client.renew(rejected).version_id == "v2"


def test_a_failed_renewal_that_has_published_all_the_same_counts(client, source, rejected):
    def renew():
        source.publish()
        raise RenewalFailed("the answer was lost", may_show=True)

    source.on_renew = renew
    assert client.renew(rejected).version_id == "v2"


def test_with_secrets_manager_down_the_renewal_goes_on(client, source, rejected, caplog):
    source.outage = TokenUnavailable("token secret: down")
    client._time.sleep = lambda _: setattr(source, "outage", None)
    assert client.renew(rejected).version_id == "v2"
    assert "the published one cannot be read: token secret: down" in caplog.text


@pytest.mark.parametrize(("age", "read_seconds", "version"), [(1900, 0, "v3"), (1799, 0, "v3"), (1798, 0.5, "v2")])
def test_an_expired_published_token_is_not_a_replacement(machine, source, aws_clock, age, read_seconds, version):
    rejected = source.published[0].token
    source.publish(age=age)
    source.on_read = lambda: aws_clock.advance(seconds=read_seconds)
    assert machine.client(source).renew(rejected).version_id == version
    assert source.renewals == ["v1"] * (version == "v3")


def test_a_new_client_reports_the_version_that_has_expired(machine, source, aws_clock):
    other = machine.client(source).get_token()
    aws_clock.advance(minutes=31)
    source.refuse("budget_exhausted", 60)
    fresh = machine.client(source)
    with pytest.raises(RenewalFailed):
        fresh.renew(other)
    with pytest.raises(TokenUnavailable, match=r"version v1, published since 2026-.* and no newer token is published"):
        fresh.get_token()


def test_a_roll_back_by_hand_is_a_replacement(client, source, aws_clock):
    aws_clock.advance(minutes=1)
    source.publish()
    bad = client.get_token()
    source.published.append(source.published[0])
    assert client.renew(bad).version_id == "v1"
    assert source.renewals == []


def test_a_roll_back_to_an_expired_version_is_not_a_replacement(client, source, rejected):
    source.refuse("too_soon")
    source.publish(age=1799)
    with pytest.raises(RenewalFailed):
        client.renew(rejected)
    assert client.get_token().version_id == "v1"


def test_a_roll_back_to_a_rejected_version_is_left_to_the_schedule(client, source, rejected):
    """It is not a replacement, however often the version after it is rejected."""
    second = client.renew(rejected)
    source.refuse("too_soon")
    for rejections in range(30):
        if rejections == 29:
            source.published.append(source.published[0])
        with pytest.raises(RenewalFailed):
            client.renew(second)
    assert client.get_token().version_id == "v2"
    source.publish()
    assert client.renew(second).version_id == "v4"


def test_a_slow_renewal_leaves_time_for_the_new_token_to_show(client, source, rejected, aws_clock):
    def renew():
        aws_clock.advance(seconds=29.95)
        source.stale_reads = 1
        return source._renew()

    source.on_renew = renew
    assert client.renew(rejected).version_id == "v2"


def test_a_remembered_refusal_keeps_nothing_of_its_caller_alive(client, source, rejected):
    """A traceback holds the variables of every caller."""
    source.refuse("too_soon", retry_after_seconds=40)
    for _ in range(2):
        with pytest.raises(RenewalFailed):
            client.renew(rejected)
        ((refusal, _),) = client._state.refusals.values()
        assert (refusal.__traceback__, refusal.__context__, refusal.__cause__) == (None, None, None)


def test_refusals_of_many_versions_are_not_all_remembered(client, source, aws_clock):
    source.refuse("too_soon", retry_after_seconds=40)
    for _ in range(100):
        token = client.get_token()
        with pytest.raises(RenewalFailed):
            client.renew(token)
        source.publish()
        aws_clock.advance(minutes=26)
    assert len(client._state.refusals) == 1
    assert len(client._state.rejected) <= 16


def test_many_threads_with_one_rejected_token_make_one_renewal(client, source, rejected):
    ends = in_threads(lambda: client.renew(rejected))
    assert {end.version_id for end in ends} == {"v2"}
    assert source.renewals == ["v1"]
    # The first token, the read before the renewal, and the read after it.
    assert source.reads == 3


def test_a_rejected_version_does_not_wait_for_another_ones_renewal(client, source, rejected, under_way):
    def renew(wait):
        source.on_renew = lambda: (wait(), source._renew())[1]
        client.renew(rejected)

    with under_way(renew) as let_go:
        source.on_renew = source._renew
        source.publish()
        assert client.renew(client.get_token(min_remaining=1700)).version_id == "v3"
        assert not let_go.is_set()
