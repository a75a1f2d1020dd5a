"""What many threads want at one moment is done once."""

import sys
import threading
from contextlib import suppress

import pytest

from doubles.threads import in_threads
from talend_token import TokenUnavailable
from talend_token._single_flight import SingleFlight


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


def test_a_caller_that_does_not_wait_returns_at_once(flights, under_way):
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


def test_each_waiting_thread_gets_its_own_copy_of_the_failure(flights):
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
    flight.landed.wait = lambda patience: (waiting.release(), wait(patience))[1]
    release = threading.Thread(target=lambda: ([waiting.acquire() for _ in range(20)], end.set()))
    release.start()
    ends = in_threads(lambda: flights.do("key", lambda: None), 20)
    release.join()
    leader.join()
    assert {str(error) for error in ends} == {"down"}
    assert len({id(error) for error in ends}) == 20
    assert all(error.__cause__ is None and error.__context__ is None for error in ends)


def test_a_waiting_thread_makes_a_call_that_was_interrupted(flights):
    begun, end, calls = threading.Event(), threading.Event(), []

    def interrupted():
        begun.set()
        assert end.wait(10)
        raise KeyboardInterrupt

    def lead():
        with suppress(KeyboardInterrupt):
            flights.do("key", interrupted)

    leader = threading.Thread(target=lead)
    leader.start()
    assert begun.wait(10)
    (flight,) = flights._flights.values()
    wait = flight.landed.wait
    flight.landed.wait = lambda patience: (end.set(), wait(patience))[1]
    flights.do("key", lambda: calls.append(1))
    leader.join()
    assert calls == [1]


def test_a_call_that_ends_as_the_wait_times_out_has_ended(flights):
    class GivenUp(dict):
        """Another thread is quicker to take it out."""

        def get(self, key):
            return self.pop(key)

    flights._flights, calls = GivenUp(), []
    flights.do("key", lambda: calls.append(1))
    assert calls == [1]


def test_a_thread_that_waits_too_long_makes_the_call(under_way_for_ever):
    flights, end = under_way_for_ever
    calls = []
    in_threads(lambda: flights.do("key", lambda: calls.append(1)), 5)
    assert 1 <= len(calls) <= 5
    end.set()


@pytest.fixture
def under_way_for_ever():
    """Flights of little patience, with a call that another thread never ends."""
    flights = SingleFlight(patience_seconds=0.01)
    begun, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=flights.do, args=("key", lambda: (begun.set(), end.wait(10))))
    thread.start()
    assert begun.wait(10)
    yield flights, end
    end.set()
    thread.join()


def test_a_call_that_was_given_up_is_made_by_a_waiting_thread(under_way_for_ever):
    flights, end = under_way_for_ever
    (flight,) = flights._flights.values()
    wait, begun, calls = flight.landed.wait, threading.Event(), []
    impatient = threading.Thread(target=flights.do, args=("key", lambda: (begun.set(), end.wait(10))))

    def wait_longer_than_another(patience):
        flight.landed.wait = wait
        impatient.start()
        assert begun.wait(10)
        return wait(patience)

    flight.landed.wait = wait_longer_than_another
    flights.do("key", lambda: calls.append(1))
    assert calls == [1]
    end.set()
    impatient.join()


def test_a_signal_handler_gets_the_token_whose_read_it_interrupted():
    flights, calls = SingleFlight(patience_seconds=0.01), []

    def interrupted():
        flights.do("key", lambda: calls.append("handler"))
        calls.append("interrupted")

    flights.do("key", interrupted)
    assert calls == ["handler", "interrupted"]


def lead_interrupted_at(moment):
    """Have a call made, and raise a KeyboardInterrupt at the given moment of it, as a signal would."""
    flights, seen = SingleFlight(patience_seconds=60), 0

    def interrupt(frame, _event, _argument):
        nonlocal seen
        if "single_flight" in frame.f_code.co_filename and frame.f_code.co_name == "_lead":
            seen += 1
            if seen == moment:
                raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        flights.do("key", lambda: None)
    except KeyboardInterrupt:
        return flights, True
    finally:
        sys.setprofile(None)
    return flights, False


@pytest.mark.true_source
@pytest.mark.parametrize("moment", range(1, 5))
def test_an_interrupt_leaves_no_flight_that_never_lands(moment):
    flights, interrupted = lead_interrupted_at(moment)
    assert interrupted
    calls = []
    flights.do("key", lambda: calls.append(1))
    assert calls == [1]
