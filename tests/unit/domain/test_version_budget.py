"""Versions of a secret are limited, and the schedule's share is never spent on renewals."""

import pytest

from rotator.domain.version_budget import DAY_SECONDS, renewals_left

NOW = 1_795_472_989.0
TICK = 1500


@pytest.mark.parametrize(
    ("tick", "ages_seconds", "left"),
    [
        # 58 ticks in 24 hours, including the one at the end, and 10 reserved versions.
        (TICK, [], 100 - 10 - 58),
        (7200, [], 100 - 10 - 13),
        # A day of the schedule alone.
        (TICK, [TICK * tick for tick in range(58)], 100 - 10 - 59),
        # Versions count until they are a day old.
        (TICK, [60] * 32, 0),
        (TICK, [60] * 100, 0),
        (TICK, [DAY_SECONDS - 60] * 32, 32),
        (TICK, [DAY_SECONDS] * 99, 32),
    ],
)
def test_renewals_get_the_versions_that_schedule_and_operators_leave(tick, ages_seconds, left):
    assert renewals_left([NOW - age for age in ages_seconds], NOW, tick) == left
