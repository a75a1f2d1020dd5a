"""Bursts of renewals on the deployed functions: however they go, each costs one token and one version."""

import time

import pytest

from faults.load.load import FAULTS, KILL, NONE, deployed, play, report
from faults.size import chosen

MINUTES = 5
# A killed function holds its lock for half a minute: `test_renewal.py` has one in every run of the tests.
TRIED = [fault for fault in FAULTS if fault != NONE and fault != chosen(KILL, None)]


@pytest.fixture(scope="module")
def bursts():
    with deployed() as load:
        load.add_accounts(chosen(2, 16))
        bursts, started = [], time.monotonic()
        for burst in play(load, TRIED, chosen(30, 100)):
            bursts.append(burst)
            if chosen(len(bursts) == 2 * len(TRIED), time.monotonic() - started > MINUTES * 60):
                break
        print(report(bursts, time.monotonic() - started))
        yield bursts


def test_each_burst_heals_with_one_version(bursts):
    assert {burst.fault for burst in bursts} == {NONE, *TRIED}
    assert [burst.fault for burst in bursts if not burst.works] == []
    assert [(burst.fault, burst.versions) for burst in bursts if burst.versions != 1] == []


def test_a_burst_costs_one_token_beside_those_that_get_lost(bursts):
    """Those are issued and get lost on their way."""
    lost = {"closed inside the body, once": 1, "a page, three times": 3}
    for burst in bursts:
        # A killed winner may have had its token already.
        at_most = 2 if burst.fault == KILL else 1
        assert 1 <= burst.granted - lost.get(burst.fault, 0) <= at_most, burst.fault


def test_a_burst_that_nothing_disturbs_is_one_token_call_and_no_error(bursts):
    for burst in bursts:
        if burst.fault == NONE:
            assert burst.token_calls == 1
            assert set(burst.ends) <= {"rotated", "superseded", "in_progress"}
            assert burst.ends["rotated"] == 1


def test_an_outage_ends_in_errors_that_consumers_see(bursts):
    """Twelve refusals outlast three attempts of a run: the first runs raise, and later ones serve their consumers."""
    outage = next(burst for burst in bursts if "twelve" in burst.fault)
    assert set(outage.ends) - {"rotated", "superseded", "in_progress"} == {"TokenUnavailable"}
