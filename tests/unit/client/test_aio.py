"""Any number of tasks wait for one thing in one thread, and the event loop goes on."""

import asyncio
import gc
import math
import sys
import threading

import pytest
import trio

from talend_token import TokenUnavailable
from talend_token.aio import AsyncTokenClient

TASKS = 500


def together(calls):
    async def gather():
        return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

    return asyncio.run(gather())


@pytest.fixture
def tokens(client):
    return AsyncTokenClient(client)


def test_a_fresh_token_starts_no_thread(client, tokens, source, aws_clock, monkeypatch):
    client.get_token()
    aws_clock.advance(minutes=10)
    monkeypatch.setattr(asyncio, "to_thread", None)
    assert asyncio.run(tokens.get_token()).version_id == "v1"
    assert source.reads == 1


def test_many_tasks_with_an_expired_token_make_one_read_in_one_thread(tokens, source, aws_clock):
    asyncio.run(tokens.get_token())
    aws_clock.advance(minutes=31)
    source.publish()
    threads = []
    source.on_read = lambda: threads.append(threading.current_thread())
    assert {token.version_id for token in together([tokens.get_token] * TASKS)} == {"v2"}
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_all_tasks_keep_a_stale_token_while_its_successor_is_read(client, tokens, source, aws_clock):
    client.get_token()
    aws_clock.advance(minutes=28)
    source.publish()
    all_are_served = threading.Event()
    source.on_read = lambda: all_are_served.wait(10)

    async def herd():
        first = [await tokens.get_token() for _ in range(TASKS)]
        all_are_served.set()
        while source.reads < 2 or client._held.token.version_id == "v1":
            await asyncio.sleep(0.001)
        return first, await tokens.get_token()

    first, then = asyncio.run(herd())
    assert {token.version_id for token in first} == {"v1"}
    assert then.version_id == "v2"
    assert source.reads == 2


def by_hand(coroutine):
    """Run a coroutine that waits for nothing, without any event loop."""
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    return end.value.value


def test_a_fresh_token_needs_no_event_loop(client, tokens):
    client.get_token()
    assert by_hand(tokens.get_token(min_remaining=60)).version_id == "v1"


@pytest.mark.parametrize("has_trio", [True, False])
def test_waiting_under_another_event_loop_is_refused(client, tokens, source, monkeypatch, has_trio):
    if not has_trio:
        monkeypatch.setitem(sys.modules, "trio", None)
    for waiting in (tokens.get_token(), tokens.renew(source.published[0].token)):
        with pytest.raises(RuntimeError, match="only asyncio and trio can wait"):
            waiting.send(None)
    assert (source.reads, client._held.token.version_id) == (0, "none yet")


def in_trio(call, *arguments):
    """Run a call under trio."""
    return trio.run(call, *arguments)


def in_a_guest(call, *arguments):
    """Run a call under trio that is a guest of asyncio."""

    async def host():
        loop, end = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            call,
            *arguments,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=end.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        return (await end).unwrap()

    return asyncio.run(host())


@pytest.fixture(params=[in_trio, in_a_guest])
def run_in_trio(request):
    return request.param


def test_trio_is_served_too(tokens, source, aws_clock, run_in_trio):
    threads = []
    source.on_read = lambda: threads.append(threading.current_thread())

    async def life():
        first = await tokens.get_token()
        aws_clock.advance(minutes=31)
        source.publish()
        second = await tokens.get_token()
        return [first, second, await tokens.renew(second)]

    assert [token.version_id for token in run_in_trio(life)] == ["v1", "v2", "v3"]
    assert source.renewals == ["v2"]
    assert threading.main_thread() not in threads


def test_many_tasks_of_trio_share_one_read(tokens, source, run_in_trio):
    ends = []

    async def task():
        ends.append((await tokens.get_token()).version_id)

    async def herd():
        async with trio.open_nursery() as nursery:
            for _ in range(TASKS):
                nursery.start_soon(task)

    run_in_trio(herd)
    assert ends == ["v1"] * TASKS
    assert source.reads == 1


def test_a_failure_is_raised_under_trio(tokens, source, run_in_trio):
    source.outage = TokenUnavailable("token secret: down")
    with pytest.raises(TokenUnavailable, match="token secret: down"):
        run_in_trio(tokens.get_token)


def test_a_task_of_trio_that_is_cancelled_leaves_the_read_behind(tokens, source):
    go_on, ended = threading.Event(), threading.Event()
    source.on_read = lambda: (go_on.wait(10), ended.set())

    async def leave():
        with trio.move_on_after(0.01) as scope:
            await tokens.get_token()
        go_on.set()
        return scope.cancelled_caught

    assert trio.run(leave)
    assert ended.wait(10)


def test_a_stale_token_read_a_moment_ago_starts_no_thread(client, tokens, aws_clock, monkeypatch):
    client.get_token()
    aws_clock.advance(minutes=28)
    client.get_token()
    monkeypatch.setattr(asyncio, "to_thread", None)
    assert asyncio.run(tokens.get_token()).version_id == "v1"


def test_a_stale_token_is_read_again_after_the_pause(client, tokens, source, aws_clock, jitter):
    client.get_token()
    aws_clock.advance(minutes=28)
    client.get_token()
    aws_clock.advance(seconds=5 * jitter)
    assert asyncio.run(tokens.get_token()).version_id == "v1"
    assert source.reads == 3


def test_many_tasks_with_one_rejected_token_make_one_renewal(client, tokens, source):
    rejected = client.get_token()
    ends = together([lambda: tokens.renew(rejected)] * TASKS)
    assert {token.version_id for token in ends} == {"v2"}
    assert source.renewals == ["v1"]


def test_tasks_with_different_rejected_tokens_are_distinguished(client, tokens, source, aws_clock):
    first = client.get_token()
    aws_clock.advance(minutes=1)
    source.publish()
    second = client.get_token(min_remaining=1750)
    ends = together([lambda: tokens.renew(first), lambda: tokens.renew(second)])
    assert ends[1].version_id == "v3"
    assert source.renewals == ["v2"]


def test_a_call_that_has_ended_is_made_again(tokens, source, aws_clock):
    async def twice():
        first = await tokens.get_token()
        aws_clock.advance(minutes=31)
        source.publish()
        second = await tokens.get_token()
        return first, second, await tokens.renew(second)

    assert [token.version_id for token in asyncio.run(twice())] == ["v1", "v2", "v3"]


@pytest.mark.parametrize("min_remaining", [0, 10])
def test_a_token_with_no_second_left_is_not_returned(client, tokens, source, aws_clock, min_remaining):
    client.get_token()
    aws_clock.advance(seconds=1799 - min_remaining)
    source.publish()
    assert asyncio.run(tokens.get_token(min_remaining)).version_id == "v2"


def test_a_token_with_half_a_second_left_is_returned(client, tokens, source, aws_clock):
    client.get_token()
    aws_clock.advance(seconds=1798.5)
    source.outage = TokenUnavailable("down")
    assert asyncio.run(tokens.get_token()).version_id == "v1"


@pytest.mark.parametrize(("seconds", "reads"), [(1498.75, 1), (1499, 2)])
def test_tasks_read_a_successor_five_minutes_before_the_end(client, tokens, source, aws_clock, seconds, reads):
    client.get_token()
    aws_clock.advance(seconds=seconds)
    asyncio.run(tokens.get_token())
    assert source.reads == reads


def test_each_task_gets_its_own_copy_of_a_failure(tokens, source):
    source.outage = TokenUnavailable("token secret: down")
    ends = together([tokens.get_token] * TASKS)
    assert {str(end) for end in ends} == {"token secret: down"}
    assert len({id(end) for end in ends}) == TASKS
    assert source.reads == 1


def test_tasks_with_different_min_remaining_are_distinguished(tokens):
    short, long = together([tokens.get_token, lambda: tokens.get_token(min_remaining=3000)])
    assert short.version_id == "v1"
    assert isinstance(long, TokenUnavailable)


@pytest.mark.parametrize("min_remaining", [-60, math.nan])
def test_a_tasks_min_remaining_may_not_be_negative(tokens, aws_clock, min_remaining):
    asyncio.run(tokens.get_token())
    for minutes in (0, 28):
        aws_clock.advance(minutes=minutes)
        with pytest.raises(ValueError, match="min_remaining"):
            asyncio.run(tokens.get_token(min_remaining))


def test_cancelling_one_task_does_not_cancel_the_others(tokens, source):
    go_on = threading.Event()
    source.on_read = lambda: go_on.wait(10)

    async def herd():
        first, second = asyncio.create_task(tokens.get_token()), asyncio.create_task(tokens.get_token())
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0)
        go_on.set()
        return await second

    assert asyncio.run(herd()).version_id == "v1"
    assert source.reads == 1


def test_a_failure_of_cancelled_tasks_logs_nothing(tokens, source, caplog):
    source.outage = TokenUnavailable("down")

    async def leave():
        task = asyncio.create_task(tokens.get_token())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0.1)

    asyncio.run(leave())
    assert caplog.records == []


def test_a_successor_that_comes_too_late_logs_nothing(client, tokens, source, aws_clock, caplog):
    client.get_token()
    aws_clock.advance(minutes=28)
    # The token ends meanwhile: the search fails, and the task that began it has the token.
    source.on_read = lambda: aws_clock.advance(minutes=3)

    async def search():
        token = await tokens.get_token()
        while searches := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            await asyncio.wait(searches)
        return token

    assert asyncio.run(search()).version_id == "v1"
    gc.collect()
    assert caplog.records == []


def test_one_client_serves_one_event_loop_after_the_other(tokens):
    assert asyncio.run(tokens.get_token()) is asyncio.run(tokens.get_token())


def test_it_prints_where_its_tokens_come_from(tokens):
    assert repr(tokens) == "AsyncTokenClient(TokenClient(token secret 'talend-token/default/token'))"


def test_without_a_client_the_environment_names_the_source(monkeypatch):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "mine")
    monkeypatch.setenv("TALEND_API_URL", "https://api.us.cloud.talend.com")
    assert asyncio.run(AsyncTokenClient().get_token()).access_token == "mine"
