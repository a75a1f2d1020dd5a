"""An outage costs consumers what docs/how-it-works.md says, by the functions' own code in virtual time."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outages.simulation import (
    OUTAGES_PER_LENGTH,
    SCHEDULE_SECONDS,
    WATCHDOG_SECONDS,
    Clockwork,
    Outage,
    costs,
    mean_minutes,
    random_outages,
    seconds_without_token,
)

pytestmark = pytest.mark.frames_unwatched

CHARTS = Path(__file__).parents[4] / "docs" / "charts"
TALEND_LIFE = 30 * 60
WATCHDOG, LAMBDA_RETRIES, ORACLE = Clockwork.WATCHDOG, Clockwork.LAMBDA_RETRIES, Clockwork.ORACLE
outages = st.builds(
    Outage,
    starts_at=st.integers(1, SCHEDULE_SECONDS),
    seconds=st.integers(1, 60 * 60),
    watchdog_at=st.integers(0, WATCHDOG_SECONDS - 1),
)
# A watchdog each minute needs a window of a minute or more, which is a sixth of the token's life.
validities = st.integers(6 * 60, 2 * 60 * 60)


@pytest.fixture(scope="module")
def by_length():
    return costs(8)


@pytest.mark.parametrize(
    ("clockwork", "watchdog_at", "seconds"),
    # The token of minute 0 expires at 30; minutes 25, 26 and 28 fail, and the next tick is at 50.
    [(LAMBDA_RETRIES, 0, 20 * 60), *((WATCHDOG, second, 10 * 60 + second) for second in (0, 1, 30, 59))],
)
def test_down_from_20_to_40_costs_what_is_documented(clockwork, watchdog_at, seconds):
    assert seconds_without_token(Outage(20 * 60, 20 * 60, watchdog_at), clockwork) == seconds


@pytest.mark.parametrize(("longer_seconds", "cost_seconds"), [(0, 0), (1, 20 * 60)])
def test_without_the_watchdog_one_second_more_costs_20_minutes(longer_seconds, cost_seconds):
    """Lambda's last attempt is in minute 28."""
    assert seconds_without_token(Outage(20 * 60, 8 * 60 + longer_seconds), LAMBDA_RETRIES) == cost_seconds


@given(outages)
def test_an_outage_costs_what_it_outlasts_the_old_token_by(outage):
    """The wait for the next tick is added."""
    watchdog = outage.ends_at + (outage.watchdog_at - outage.ends_at) % WATCHDOG_SECONDS
    schedule = outage.ends_at + -outage.ends_at % SCHEDULE_SECONDS
    assert seconds_without_token(outage, WATCHDOG) == max(0, min(watchdog, schedule) - TALEND_LIFE)


@example(Outage(1498, 1560, 37), TALEND_LIFE)
@given(outages, validities)
def test_consumers_wait_less_than_a_minute_whatever_the_validity(outage, validity):
    """They wait from the moment when the endpoint is back. A retry of Lambda's may come seconds before the watchdog."""
    watchdog, oracle, retries = (
        seconds_without_token(outage, clockwork, life_seconds=validity)
        for clockwork in (WATCHDOG, ORACLE, LAMBDA_RETRIES)
    )
    assert oracle <= watchdog < min(oracle, retries) + WATCHDOG_SECONDS


# --- random outages and their chart ---


def test_random_outages_begin_at_any_time_between_two_ticks():
    found = list(random_outages(10))
    assert [outage.seconds for outage in found] == [60 * minutes for minutes in range(1, 61) for _ in range(10)]
    starts = [outage.starts_at for outage in found]
    assert 1 <= min(starts) < 60
    assert SCHEDULE_SECONDS - 60 < max(starts) <= SCHEDULE_SECONDS
    assert {outage.watchdog_at for outage in found} == set(range(60))


def test_a_mean_is_in_minutes():
    assert mean_minutes([{WATCHDOG: seconds} for seconds in (0, 60, 120, 180, 840)], WATCHDOG) == 4


def test_the_schedule_makes_consumers_wait_up_to_22_minutes(by_length):
    waits = [cost[LAMBDA_RETRIES] - cost[ORACLE] for some in by_length for cost in some]
    assert 20 * 60 < max(waits) <= 22 * 60


def test_at_every_length_the_watchdog_costs_less_on_average(by_length):
    assert len(by_length) == 60
    # Shorter outages cost nothing with either, in so few trials.
    for some in by_length[4:]:
        assert mean_minutes(some, WATCHDOG) < mean_minutes(some, LAMBDA_RETRIES)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_says_what_the_simulation_says(theme):
    """It is also small, and the same in each run."""
    text = (CHARTS / f"outages-{theme}.svg").read_text()
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", text)
    shown = [outage for outage in random_outages(OUTAGES_PER_LENGTH) if outage.seconds == 20 * 60]
    for clockwork in (LAMBDA_RETRIES, WATCHDOG):
        found = [{clockwork: seconds_without_token(outage, clockwork)} for outage in shown]
        assert f"{mean_minutes(found, clockwork):.0f} minutes" in labels
    assert len(text) < 60_000
    assert not re.search(r"dc:date|matplotlib\.org", text)
