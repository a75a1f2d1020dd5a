"""A client on a machine whose clocks the test controls."""

import asyncio
import random
import threading
from contextlib import contextmanager, suppress

import pytest

from doubles import Clock, InMemoryTokenSource
from talend_token import TokenClient, TokenUnavailable
from talend_token.aio import AsyncTokenClient


class Machine:
    """A machine whose wall clock is ahead of AWS's, and whose monotonic clock has not counted the time it slept."""

    def __init__(self, aws_clock):
        self.aws_clock = aws_clock
        self.skew_seconds = 0.0
        self.slept_seconds = 0.0
        self.pauses = []

    def wall(self):
        return self.aws_clock() + self.skew_seconds

    def monotonic(self):
        return self.aws_clock() - self.slept_seconds - 1_000_000

    def pause(self, seconds):
        self.pauses.append(seconds)
        self.aws_clock.advance(seconds=seconds)

    def client(self, source, **settings):
        return TokenClient(source, clock=self.wall, monotonic=self.monotonic, sleep=self.pause, **settings)


@pytest.fixture
def aws_clock():
    return Clock()


@pytest.fixture
def source(aws_clock):
    source = InMemoryTokenSource(aws_clock)
    source.publish()
    return source


@pytest.fixture
def machine(aws_clock):
    return Machine(aws_clock)


@pytest.fixture
def client(machine, source):
    return machine.client(source)


class InTasks:
    """The asynchronous client, with an event loop for each call."""

    def __init__(self, client):
        self._tokens = AsyncTokenClient(client)

    def get_token(self, *arguments, **options):
        return asyncio.run(self._tokens.get_token(*arguments, **options))


@pytest.fixture(params=[lambda client: client, InTasks], ids=["threads", "tasks"])
def either(request, client):
    """The synchronous and the asynchronous client."""
    return request.param(client)


@pytest.fixture(params=[(min, 0.75), (max, 1.25)])
def jitter(request, monkeypatch):
    """The smallest and the largest factor by which pauses are multiplied."""
    extreme, factor = request.param
    monkeypatch.setattr(random, "uniform", lambda *ends: extreme(ends))
    return factor


@pytest.fixture
def under_way():
    """Keep a call of another thread under way during the block, until the yielded event is set."""

    @contextmanager
    def under_way(make_call):
        begun, end = threading.Event(), threading.Event()

        def wait():
            begun.set()
            assert end.wait(10)

        def call():
            # An exception is for the threads that wait for the call.
            with suppress(TokenUnavailable, KeyboardInterrupt):
                make_call(wait)

        thread = threading.Thread(target=call)
        thread.start()
        assert begun.wait(10)
        try:
            yield end
        finally:
            end.set()
            thread.join()

    return under_way
