"""Versions of a secret are limited, and the schedule's share is never spent on renewals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.version_budget import (
    DAY_SECONDS,
    RESERVED_FOR_FORCED_ROTATIONS,
    VERSIONS_QUOTA,
    renewals_left,
)

NOW = 1_795_472_989.0
TICK = 1500


@pytest.mark.parametrize(
    ("ages_seconds", "left"),
    [
        # 58 ticks in 24 hours, including the one at the end, and 10 reserved versions.
        ([], 100 - 10 - 58),
        # A day of the schedule alone.
        ([TICK * tick for tick in range(58)], 100 - 10 - 59),
        # Versions count until they are a day old.
        ([60] * 32, 0),
        ([60] * 100, 0),
        ([DAY_SECONDS - 60] * 32, 32),
        ([DAY_SECONDS] * 99, 32),
    ],
)
def test_renewals_get_the_versions_that_schedule_and_operators_leave(ages_seconds, left):
    assert renewals_left([NOW - age for age in ages_seconds], NOW, TICK) == left


@given(st.lists(st.floats(min_value=NOW - 2 * DAY_SECONDS, max_value=NOW), max_size=100), st.integers(900, 7200))
def test_schedule_and_forced_rotations_fit_after_allowed_renewals(created, tick):
    left = renewals_left(created, NOW, tick)
    written = [*created, *[NOW] * left]
    if left == 0:
        return
    for number in range(1, DAY_SECONDS // tick + 1):
        moment = NOW + number * tick
        written.append(moment)
        young = sum(1 for one in written if one > moment - DAY_SECONDS)
        assert young <= VERSIONS_QUOTA - RESERVED_FOR_FORCED_ROTATIONS
