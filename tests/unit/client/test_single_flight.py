"""Threads that need the same call at the same time share one call."""

import sys
import threading
from contextlib import ExitStack

import pytest

from doubles.threads import in_threads
from talend_token import TokenUnavailable
from talend_token._single_flight import SingleFlight


@pytest.fixture
def flights():
    return SingleFlight()


def when_waiting(flights, act):
    """Act when another thread begins to wait for the only flight."""
    (flight,) = flights._flights.values()
    wait = flight.landed.wait
    flight.landed.wait = lambda patience: (act(), wait(patience))[1]


def failing(error, wait):
    def call():
        wait()
        raise error

    return call


def made(flights, key="key"):
    """Return the calls that the flights made for a new call."""
    calls = []
    flights.do(key, lambda: calls.append(key))
    return calls


def test_each_waiting_thread_gets_its_own_copy_of_the_failure(flights, under_way):
    with under_way(lambda wait: flights.do("key", failing(TokenUnavailable("down"), wait))) as end:
        when_waiting(flights, threading.Barrier(20, end.set).wait)
        ends = in_threads(lambda: flights.do("key", lambda: None), 20)
    assert {str(error) for error in ends} == {"down"}
    assert len({id(error) for error in ends}) == 20
    assert all(error.__cause__ is None and error.__context__ is None for error in ends)


def test_a_waiting_thread_makes_a_call_that_was_interrupted(flights, under_way):
    with under_way(lambda wait: flights.do("key", failing(KeyboardInterrupt(), wait))) as end:
        when_waiting(flights, end.set)
        assert made(flights) == ["key"]


# --- a call that takes too long ---


def test_a_call_that_ends_as_the_wait_times_out_has_ended(flights):
    class GivenUp(dict):
        """Remove the flight before this thread does, as another thread may."""

        def get(self, key):
            return self.pop(key)

    flights._flights = GivenUp()
    assert made(flights) == ["key"]


def test_a_call_under_way_holds_up_only_callers_that_wait_for_it(flights, under_way):
    calls = []
    with under_way(lambda wait: flights.do("key", wait)) as end:
        assert made(flights, "other") == ["other"]
        flights.do_unless_under_way("key", lambda: calls.append(1))
        assert not end.is_set()
    assert calls == []


def test_a_call_that_was_given_up_is_made_by_a_waiting_thread(under_way):
    impatient = SingleFlight(patience_seconds=0.01)
    with ExitStack() as calls:
        calls.enter_context(under_way(lambda wait: impatient.do("key", wait)))
        (flight,) = impatient._flights.values()

        def give_up_later_than_another():
            del flight.landed.wait
            calls.enter_context(under_way(lambda wait: impatient.do("key", wait)))

        when_waiting(impatient, give_up_later_than_another)
        assert made(impatient) == ["key"]


@pytest.mark.true_source
@pytest.mark.parametrize("moment", range(1, 5))
def test_an_interrupt_leaves_no_flight_that_never_lands(flights, moment):
    """A KeyboardInterrupt is raised at each step of the call, as a signal would raise it."""
    steps = []

    def interrupt(frame, _event, _argument):
        if "single_flight" in frame.f_code.co_filename and frame.f_code.co_name == "_lead":
            steps.append(1)
            if len(steps) == moment:
                raise KeyboardInterrupt

    sys.setprofile(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            flights.do("key", lambda: None)
    finally:
        sys.setprofile(None)
    assert made(flights) == ["key"]
