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


def test_a_new_secret_has_room_beside_schedule_and_forced_rotations():
    # 58 ticks in 24 hours, including the one at the end, and 10 reserved versions.
    assert renewals_left([], NOW, TICK) == 100 - 10 - 58


def test_a_day_of_schedule_alone_leaves_as_much():
    steady = [NOW - TICK * tick for tick in range(58)]
    assert renewals_left(steady, NOW, TICK) == 100 - 10 - 59


@pytest.mark.parametrize("age_seconds", [DAY_SECONDS, DAY_SECONDS + 60])
def test_versions_that_are_a_day_old_do_not_count(age_seconds):
    old = [NOW - age_seconds] * 99
    assert renewals_left(old, NOW, TICK) == renewals_left([], NOW, TICK)


def test_versions_spent_early_count_until_they_are_a_day_old():
    assert renewals_left([NOW - 60] * 32, NOW, TICK) == renewals_left([NOW - 60] * 100, NOW, TICK) == 0
    assert renewals_left([NOW - DAY_SECONDS + 60] * 32, NOW, TICK) > 0


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
