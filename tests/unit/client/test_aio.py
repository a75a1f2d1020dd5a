"""Any number of tasks share one thread for the same call, and the event loop is not blocked.

`test_client.py` tests which token is returned.
"""

import asyncio
import gc
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


def test_a_fresh_token_needs_neither_thread_nor_event_loop(client, tokens, source, aws_clock):
    client.get_token()
    aws_clock.advance(seconds=1498.75)
    with pytest.raises(StopIteration) as end:
        tokens.get_token(min_remaining=60).send(None)
    assert end.value.value.version_id == "v1"
    assert source.reads == 1


def test_without_a_client_the_environment_names_the_source(monkeypatch):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "mine")
    monkeypatch.setenv("TALEND_API_URL", "https://api.us.cloud.talend.com")
    tokens = AsyncTokenClient()
    assert asyncio.run(tokens.get_token()).access_token == "mine"
    assert repr(tokens) == "AsyncTokenClient(TokenClient(environment variable TALEND_ACCESS_TOKEN))"


# --- many tasks ---


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


def test_many_tasks_make_one_renewal_of_each_rejected_token(client, tokens, source, aws_clock):
    first = client.get_token()
    aws_clock.advance(minutes=1)
    source.publish()
    second = client.get_token(min_remaining=1750)
    _, *ends = together([lambda: tokens.renew(first), *[lambda: tokens.renew(second)] * TASKS])
    assert {token.version_id for token in ends} == {"v3"}
    assert source.renewals == ["v2"]


def test_tasks_with_different_min_remaining_are_distinguished(tokens):
    short, long = together([tokens.get_token, lambda: tokens.get_token(min_remaining=3000)])
    assert short.version_id == "v1"
    assert isinstance(long, TokenUnavailable)


def test_each_task_gets_its_own_copy_of_a_failure(tokens, source):
    source.outage = TokenUnavailable("token secret: down")
    ends = together([tokens.get_token] * TASKS)
    assert {str(end) for end in ends} == {"token secret: down"}
    assert len({id(end) for end in ends}) == TASKS
    assert source.reads == 1


# --- cancelled tasks ---


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
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    asyncio.run(leave())
    gc.collect()
    assert caplog.records == []


# --- trio, and other event loops ---


@pytest.mark.parametrize("has_trio", [True, False])
def test_waiting_under_another_event_loop_is_refused(client, tokens, source, monkeypatch, has_trio):
    if not has_trio:
        monkeypatch.setitem(sys.modules, "trio", None)
    for waiting in (tokens.get_token(), tokens.renew(source.published[0].token)):
        with pytest.raises(RuntimeError, match="only asyncio and trio can wait"):
            waiting.send(None)
    assert (source.reads, client._held.token.version_id) == (0, "none yet")


def in_a_guest(call):
    """Run a call under trio in guest mode on asyncio."""

    async def host():
        loop, end = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            call,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=end.set_result,
            host_uses_signal_set_wakeup_fd=True,
        )
        return (await end).unwrap()

    return asyncio.run(host())


@pytest.mark.parametrize(
    "run", [lambda call: asyncio.run(call()), trio.run, in_a_guest], ids=["asyncio", "trio", "trio in asyncio"]
)
def test_a_call_that_has_ended_is_made_again(tokens, source, aws_clock, run):
    threads = []
    source.on_read = lambda: threads.append(threading.current_thread())

    async def life():
        first = await tokens.get_token()
        aws_clock.advance(minutes=31)
        source.publish()
        second = await tokens.get_token()
        return first, second, await tokens.renew(second)

    assert [token.version_id for token in run(life)] == ["v1", "v2", "v3"]
    assert source.renewals == ["v2"]
    assert threading.main_thread() not in threads


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
