"""What many threads want at one moment is done once."""

import threading

import pytest

from doubles.threads import in_threads
from talend_token import TokenUnavailable
from talend_token.single_flight import SingleFlight


@pytest.fixture
def flights():
    return SingleFlight()


@pytest.fixture
def under_way(flights):
    """A call that another thread is making; it ends when the event that this gives is set."""
    begun, end = threading.Event(), threading.Event()

    def call():
        begun.set()
        assert end.wait(10)

    thread = threading.Thread(target=flights.do, args=("key", call))
    thread.start()
    assert begun.wait(10)
    yield end
    end.set()
    thread.join()


def test_a_call_is_made_again_once_it_has_ended(flights):
    calls = []
    flights.do("key", lambda: calls.append(1))
    flights.do("key", lambda: calls.append(2))
    assert calls == [1, 2]


def test_another_key_is_another_call(flights, under_way):
    calls = []
    flights.do("other", lambda: calls.append(1))
    assert calls == [1]
    assert not under_way.is_set()


def test_who_does_not_want_to_wait_leaves_it_to_the_one_who_is_at_it(flights, under_way):
    calls = []
    flights.do_unless_under_way("key", lambda: calls.append(1))
    assert calls == []
    assert not under_way.is_set()


def test_a_failure_leaves_nothing_behind(flights):
    def fail():
        raise TokenUnavailable("down")

    with pytest.raises(TokenUnavailable):
        flights.do("key", fail)
    calls = []
    flights.do("key", lambda: calls.append(1))
    assert calls == [1]


def test_each_waiting_thread_gets_a_failure_of_its_own_with_the_first_as_its_cause(flights):
    begun, end = threading.Event(), threading.Event()

    def fail():
        begun.set()
        assert end.wait(10)
        raise TokenUnavailable("down")

    leader = threading.Thread(target=lambda: in_threads(lambda: flights.do("key", fail), 1))
    leader.start()
    assert begun.wait(10)
    (flight,) = flights._flights.values()
    waiting = threading.Semaphore(0)
    wait = flight.landed.wait
    flight.landed.wait = lambda: (waiting.release(), wait())
    release = threading.Thread(target=lambda: ([waiting.acquire() for _ in range(20)], end.set()))
    release.start()
    ends = in_threads(lambda: flights.do("key", lambda: None), 20)
    release.join()
    leader.join()
    assert {str(error) for error in ends} == {"down"}
    assert len({id(error) for error in ends}) == 20
    assert all(isinstance(error.__cause__, TokenUnavailable) for error in ends)
