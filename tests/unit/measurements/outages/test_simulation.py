"""An outage costs consumers what docs/how-it-works.md says, by the functions' own code in virtual time."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outages.simulation import SCHEDULE_SECONDS, WATCHDOG_SECONDS, Clockwork, Outage, seconds_without_token

pytestmark = pytest.mark.frames_unwatched

TALEND_LIFE = 30 * 60
# Minutes 20 to 40 after a rotation.
DOWN = Outage(20 * 60, 20 * 60)
outages = st.builds(Outage, starts_at=st.integers(1, SCHEDULE_SECONDS), seconds=st.integers(1, 60 * 60))
seconds_of_the_minute = st.integers(0, WATCHDOG_SECONDS - 1)
# A watchdog each minute needs a window of a minute or more, which is a sixth of the token's life.
lives = st.integers(6 * 60, 2 * 60 * 60)


def test_down_from_20_to_40_the_schedule_costs_20_minutes():
    """The token of minute 0 expires at 30; minutes 25, 26 and 28 fail, and the next tick is at 50."""
    assert seconds_without_token(DOWN, Clockwork.LAMBDA_RETRIES) == 20 * 60


@pytest.mark.parametrize("second", [0, 1, 30, 59])
def test_down_from_20_to_40_the_watchdog_costs_10_minutes(second):
    """The wait for the next tick is added."""
    assert seconds_without_token(DOWN, Clockwork.WATCHDOG, watchdog_at=second) == 10 * 60 + second


def test_without_the_watchdog_one_second_more_costs_20_minutes():
    """Lambda's last attempt is in minute 28."""
    assert seconds_without_token(Outage(20 * 60, 8 * 60), Clockwork.LAMBDA_RETRIES) == 0
    assert seconds_without_token(Outage(20 * 60, 8 * 60 + 1), Clockwork.LAMBDA_RETRIES) == 20 * 60


@given(outages, seconds_of_the_minute)
def test_an_outage_costs_what_it_outlasts_the_old_token_by(outage, second):
    """The wait for the next tick is added."""
    watchdog = outage.ends_at + (second - outage.ends_at) % WATCHDOG_SECONDS
    schedule = outage.ends_at + -outage.ends_at % SCHEDULE_SECONDS
    cost = seconds_without_token(outage, Clockwork.WATCHDOG, watchdog_at=second)
    assert cost == max(0, min(watchdog, schedule) - TALEND_LIFE)


@given(outages, seconds_of_the_minute, lives)
def test_consumers_wait_less_than_a_minute_whatever_the_life(outage, second, life):
    """They wait from the moment when the endpoint is back."""
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
