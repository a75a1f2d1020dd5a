"""Random outages are averaged correctly, and the charts show these averages."""

import re
from pathlib import Path

import pytest

from outages.simulation import SCHEDULE_SECONDS, Clockwork, Outage
from outages.study import Cost, Trial, of_length, random_trials, waits

pytestmark = pytest.mark.frames_unwatched

CHARTS = Path(__file__).parents[4] / "docs" / "charts"
EXAMPLE_MINUTES = 20


@pytest.fixture(scope="module")
def trials():
    return random_trials(10, seed=3)


def of_seconds(*seconds):
    """Trials that came to these seconds with each clockwork."""
    return [Trial(Outage(1, 60), 0, dict.fromkeys(Clockwork, each)) for each in seconds]


def test_each_length_is_played_equally_often(trials):
    assert [len(of_length(trials, range(minutes, minutes + 1))) for minutes in range(62)] == [0, *[10] * 60, 0]


def test_outages_begin_at_any_time_between_two_ticks(trials):
    starts = [trial.outage.starts_at for trial in trials]
    assert 1 <= min(starts) < 60
    assert SCHEDULE_SECONDS - 60 < max(starts) <= SCHEDULE_SECONDS
    assert {trial.watchdog_at for trial in trials} == set(range(60))


def test_a_cost_is_in_minutes():
    cost = Cost.of(of_seconds(0, 60, 120, 180, 840), Clockwork.WATCHDOG)
    assert (cost.mean, cost.median, cost.worst) == (4, 2, 14)
    assert cost.percentile_95 == pytest.approx(11.8)


def test_the_watchdog_waits_a_minute_at_most_and_the_schedule_twenty(trials):
    assert max(waits(trials, Clockwork.WATCHDOG)) < 60
    assert max(waits(trials, Clockwork.LAMBDA_RETRIES)) > 20 * 60


def test_at_every_length_the_watchdog_costs_less_on_average(trials):
    for minutes in range(5, 61):
        some = of_length(trials, range(minutes, minutes + 1))
        assert Cost.of(some, Clockwork.WATCHDOG).mean < Cost.of(some, Clockwork.LAMBDA_RETRIES).mean


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_says_what_the_simulation_says(trials, theme):
    """It is also small, and the same in each run."""
    text = (CHARTS / f"outages-{theme}.svg").read_text()
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", text)
    some = of_length(trials, range(EXAMPLE_MINUTES, EXAMPLE_MINUTES + 1))
    for clockwork in (Clockwork.LAMBDA_RETRIES, Clockwork.WATCHDOG):
        assert f"{Cost.of(some, clockwork).mean:.0f} minutes" in labels
    assert len(text) < 60_000
    assert not re.search(r"dc:date|matplotlib\.org", text)
