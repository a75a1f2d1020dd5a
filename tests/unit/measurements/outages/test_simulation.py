"""What an outage of the token endpoint costs consumers, by the functions' own code in virtual time."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outages.simulation import SCHEDULE_SECONDS, WATCHDOG_SECONDS, Clockwork, Outage, seconds_without_token

pytestmark = pytest.mark.frames_unwatched

TALEND_LIFE = 30 * 60
SECONDS_OF_THE_MINUTE = (0, 1, 30, 59)
outages = st.builds(Outage, starts_at=st.integers(1, SCHEDULE_SECONDS), seconds=st.integers(1, 60 * 60))
seconds_of_the_minute = st.integers(0, WATCHDOG_SECONDS - 1)
# A watchdog each minute needs a window of a minute or more, which is a sixth of the token's life.
lives = st.integers(6 * 60, 2 * 60 * 60)


def down(start, end):
    """An outage between two times after a rotation, in minutes."""
    return Outage(round(start * 60), round((end - start) * 60))


def test_down_from_20_to_40_the_schedule_costs_20_minutes():
    """The token of minute 0 dies at 30; minutes 25, 26 and 28 fail, and the next tick is at 50."""
    assert seconds_without_token(down(20, 40), Clockwork.LAMBDA_RETRIES) == 20 * 60


@pytest.mark.parametrize("second", range(WATCHDOG_SECONDS))
def test_down_from_20_to_40_the_watchdog_costs_10_minutes(second):
    """And its wait for the next tick."""
    assert seconds_without_token(down(20, 40), Clockwork.WATCHDOG, watchdog_at=second) == 10 * 60 + second


def test_down_from_20_to_40_nothing_costs_less_than_10_minutes():
    assert seconds_without_token(down(20, 40), Clockwork.ORACLE, watchdog_at=59) == 10 * 60


@pytest.mark.parametrize("clockwork", Clockwork)
def test_no_outage_costs_nothing(clockwork):
    assert seconds_without_token(None, clockwork) == 0


@pytest.mark.parametrize("second", SECONDS_OF_THE_MINUTE)
@pytest.mark.parametrize("start", [1 / 60, 10, 24.5, 25])
def test_an_outage_that_ends_before_the_old_token_costs_nothing(start, second):
    """From the second after a rotation on, these are outages of up to 29 minutes."""
    assert seconds_without_token(down(start, 29), Clockwork.WATCHDOG, watchdog_at=second) == 0


def test_an_outage_of_a_whole_life_costs_the_wait_for_the_next_tick():
    """Thirty minutes, from a rotation on, with the watchdog."""
    for second in SECONDS_OF_THE_MINUTE:
        assert seconds_without_token(down(1 / 60, 30), Clockwork.WATCHDOG, watchdog_at=second) == second


@given(outages, seconds_of_the_minute)
def test_an_outage_of_4_minutes_costs_nothing_with_the_watchdog(outage, second):
    """Whenever it begins."""
    four_minutes = Outage(outage.starts_at, 4 * 60)
    assert seconds_without_token(four_minutes, Clockwork.WATCHDOG, watchdog_at=second) == 0


def test_without_the_watchdog_one_second_more_costs_20_minutes():
    """Lambda's last attempt is in minute 28."""
    assert seconds_without_token(Outage(20 * 60, 8 * 60), Clockwork.LAMBDA_RETRIES) == 0
    assert seconds_without_token(Outage(20 * 60, 8 * 60 + 1), Clockwork.LAMBDA_RETRIES) == 20 * 60


@given(outages, seconds_of_the_minute)
def test_an_outage_costs_what_it_outlasts_the_old_token_by(outage, second):
    """And the wait for the next tick."""
    watchdog = outage.ends_at + (second - outage.ends_at) % WATCHDOG_SECONDS
    schedule = outage.ends_at + -outage.ends_at % SCHEDULE_SECONDS
    cost = seconds_without_token(outage, Clockwork.WATCHDOG, watchdog_at=second)
    assert cost == max(0, min(watchdog, schedule) - TALEND_LIFE)


@given(outages, seconds_of_the_minute, lives)
def test_consumers_wait_less_than_a_minute_whatever_the_life(outage, second, life):
    """After the endpoint is back, and whatever life the server grants."""
    watchdog, oracle = (
        seconds_without_token(outage, clockwork, life_seconds=life, watchdog_at=second)
        for clockwork in (Clockwork.WATCHDOG, Clockwork.ORACLE)
    )
    assert oracle <= watchdog < oracle + WATCHDOG_SECONDS


@example(Outage(1498, 1560), 37, TALEND_LIFE)
@given(outages, seconds_of_the_minute, lives)
def test_the_watchdog_is_never_a_minute_behind_lambdas_retries(outage, second, life):
    """Seconds behind it can be: a retry of Lambda's may come just before the watchdog's tick."""
    schedule, watchdog = (
        seconds_without_token(outage, clockwork, life_seconds=life, watchdog_at=second)
        for clockwork in (Clockwork.LAMBDA_RETRIES, Clockwork.WATCHDOG)
    )
    assert watchdog < schedule + WATCHDOG_SECONDS


@given(seconds_of_the_minute, lives)
def test_the_watchdog_follows_any_life_that_the_server_grants(second, life):
    assert seconds_without_token(None, Clockwork.WATCHDOG, life_seconds=life, watchdog_at=second) == 0


def test_the_schedule_alone_loses_15_of_25_minutes_to_a_life_of_10():
    assert seconds_without_token(None, Clockwork.LAMBDA_RETRIES, life_seconds=10 * 60) == 2 * 15 * 60


@pytest.mark.parametrize("second", SECONDS_OF_THE_MINUTE)
def test_a_life_of_60_minutes_and_the_watchdog_outlast_34_minutes(second):
    for start in range(1, SCHEDULE_SECONDS + 1, 37):
        outage = Outage(start, 34 * 60)
        assert seconds_without_token(outage, Clockwork.WATCHDOG, life_seconds=60 * 60, watchdog_at=second) == 0


def test_a_life_of_60_minutes_does_not_save_the_schedule_alone():
    """Minutes 25, 26, 28, 50, 51 and 53 fail, the token of minute 0 dies at 60, and the next tick is at 75."""
    assert seconds_without_token(down(24, 54), Clockwork.LAMBDA_RETRIES, life_seconds=60 * 60) == 15 * 60
