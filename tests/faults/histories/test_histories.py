"""Random histories of the whole system, in virtual time. The rules hold after each act, and within each act.

`faults.histories.acts` lists the acts. The rules are in `faults.invariants`, `faults.journal`,
`faults.histories.ledger`, `faults.histories.consumer` and `Heal`.
"""

from __future__ import annotations

import itertools
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.histories.acts import (
    ByHand,
    Call,
    ChangeCredentials,
    ClockJump,
    DeleteAccounts,
    FunctionClockJump,
    LateRenewal,
    Nap,
    Pair,
    Pass,
    PutByHand,
    Restart,
    Revoke,
    RollBack,
    Rotate,
    play,
)
from faults.histories.consumer import SUCCEEDED
from faults.histories.incidents import Act, Die, Fail, Meanwhile, Odd, Oddity, Slow, Stale
from faults.histories.ledger import FORCED_A_DAY
from faults.histories.month import Month
from faults.histories.weather import Heal, Turn, Weather
from faults.histories.world import World
from faults.invariants import DAY_SECONDS, VERSIONS_A_DAY
from faults.size import chosen
from rotator.domain.invocation import Trigger

# Every line is covered by its own tests; measuring it here would take three times as long.
pytestmark = [pytest.mark.no_cover, pytest.mark.frames_unwatched]

DAYS = 30
CONSUMERS = 3


@pytest.fixture(autouse=True)
def quiet():
    """Drop the clients' warnings, which would fill the memory in thousands of outages."""
    logger = logging.getLogger("talend_token")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


consumers = st.integers(0, CONSUMERS - 1)
lapses = st.sampled_from([1, 5, 30, 60, 61, 240, 600, 1440, 1500, 1800, 3000])
changes = st.one_of(
    st.builds(Revoke),
    st.builds(RollBack),
    st.builds(PutByHand, st.sampled_from(ByHand)),
    st.builds(DeleteAccounts),
    st.builds(Turn, st.sampled_from(Weather), st.booleans()),
)
incidents = st.one_of(
    st.builds(Fail, st.integers(0, 7), st.booleans()),
    st.builds(Die, st.booleans()),
    st.builds(Slow, st.sampled_from([2, 10, 20, 45, 65])),
    st.just(Stale()),
    st.builds(Odd, st.sampled_from(Oddity)),
    # Runs within runs are left to the search of all interleavings, but for those that are due while a call is slow.
    st.builds(Meanwhile, changes),
)
# A replacement has some ten outside calls, and a call of a consumer that has it made has a few more.
plans = st.dictionaries(st.integers(0, 12), incidents, max_size=3)
acts = st.one_of(
    changes,
    st.builds(Rotate, st.sampled_from([Trigger.SCHEDULE, Trigger.WATCHDOG, Trigger.MANUAL]), plans),
    st.builds(Rotate, st.just(Trigger.MANUAL), plans, st.just(True)),
    st.builds(Call, consumers, plans),
    st.builds(LateRenewal, plans),
    st.builds(ChangeCredentials, st.sampled_from(Pair), st.booleans(), plans),
    st.builds(Restart, consumers),
    st.builds(ClockJump, consumers, st.sampled_from([-100_000, -900, -290, -60, -1, 1, 60, 400, 2000, 100_000])),
    st.builds(Nap, consumers, lapses),
    st.builds(FunctionClockJump, st.integers(-2, 2)),
    st.builds(Pass, lapses),
    st.builds(
        Pass, st.sampled_from([3600, 7200, DAY_SECONDS]), st.sampled_from([0, 300]), st.sampled_from([0, 300, 3600])
    ),
    st.builds(Heal),
)
steps = acts.map(lambda act: [act]) | st.builds(lambda *call: [Revoke(), Call(*call)], consumers, plans)


@settings(
    max_examples=chosen(120, 4000),
    deadline=None,
    # The same histories in every run of the tests, and others each time that there is time for many.
    derandomize=chosen(True, False),
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)
@given(
    watchdog_phase=st.sampled_from([0, 1, 30, 59]),
    probe=st.booleans(),
    history=st.lists(steps, min_size=chosen(30, 50), max_size=chosen(70, 110)),
)
def test_the_rules_hold_whatever_happens(watchdog_phase: int, probe: bool, history: list[list[Act]]) -> None:
    world = World(consumers=CONSUMERS, watchdog_phase=watchdog_phase, probe=probe)
    play(world, [Pass(1), *itertools.chain(*history), Heal()])


@pytest.mark.parametrize("seed", range(chosen(2, 200)))
def test_a_month_goes_by_without_a_person(seed):
    """Some two troubles to eight a day: none is left after four minutes, and none costs the schedule its versions."""
    month = Month(seed)
    world = month.play(DAYS)
    ends = sum((consumer.ends for consumer in world.consumers), start=world.consumers[0].ends.__class__())
    outcomes = world.ledger.outcomes
    ticks = {
        trigger: sum(number for name, number in outcomes.items() if name.startswith(trigger))
        for trigger in ("schedule", "watchdog")
    }
    assert ticks["schedule"] >= DAYS * DAY_SECONDS // 1500
    assert ticks["watchdog"] > 0.97 * DAYS * 1440
    assert month.versions < VERSIONS_A_DAY
    assert sum(ends.values()) > DAYS * 288 * len(world.consumers)
    assert sum(ends[end] for end in SUCCEEDED) > 0.95 * sum(ends.values())


KEPT: dict[str, list[Act]] = {
    # A client that has seen both versions rejected waits for the schedule.
    "a roll-back to a version that was rejected before": [
        Pass(1),
        Revoke(),
        Call(0),
        Heal(),
        Revoke(),
        RollBack(),
        Heal(),
    ],
    # The schedule published a token that ended before the good one.
    "lives that become shorter than what the published token has left": [
        Pass(1200),
        Rotate(),
        Turn(Weather.SHORT),
        Pass(600),
        Heal(),
    ],
    # Each pair was asked with once: no rule is broken by that.
    "a server that issues a token and says that it refuses": [
        Pass(1),
        ChangeCredentials(Pair.GOOD),
        Pass(600),
        Call(0),
        Revoke(),
        Call(0, {6: Fail(2, lost=True)}),
        Heal(),
    ],
    # The version that was current a moment ago was read as the current one and as the previous one.
    "credentials that are refused, and a stale read of them": [
        Pass(1),
        ChangeCredentials(Pair.GOOD, announced=False),
        DeleteAccounts(),
        PutByHand(ByHand.TOKEN),
        Rotate(plan={4: Stale()}),
        Heal(),
    ],
    # The rejected token was taken for left over: its label AWSPREVIOUS did not show yet.
    "a roll-back to an expired token while a consumer has the other one renewed": [
        Pass(1),
        Pass(1900),
        Call(0),
        Revoke(),
        Call(0, {2: Meanwhile(RollBack()), 5: Stale()}),
        Heal(),
    ],
    # It still had the label AWSPENDING, and so was taken for one that a run had left staged.
    "a token that was published, rejected, and put aside twice by hand": [
        Pass(120),
        Revoke(),
        Turn(Weather.ENDPOINT_DOWN),
        Call(0),
        PutByHand(ByHand.TOKEN),
        PutByHand(ByHand.EXPIRED),
        Rotate(),
        Heal(),
    ],
    # Younger than what it was rolled back to, it was taken for left over, too.
    "a token that was published, rolled back, rejected, and pushed aside by another roll-back": [
        Pass(3600, 300, 300),
        RollBack(),
        LateRenewal(),
        PutByHand(ByHand.TOKEN),
        RollBack(),
        Heal(),
    ],
    # Made in the same moment as the version that an operator stored in its place, it was taken for left over, too.
    "a token that was put aside as soon as it was published": [
        ChangeCredentials(Pair.GOOD),
        Revoke(),
        Call(0),
        RollBack(),
        PutByHand(ByHand.TOKEN),
        Pass(3600, 300, 300),
        Heal(),
    ],
}


HARD: dict[str, list[Act]] = {
    "each token is rejected for a day": [Pass(DAY_SECONDS, 300, 300), Heal(), Pass(DAY_SECONDS, 300)],
    "each token is rejected for an hour, operators force what they may, and it continues": [
        Pass(3600, 300, 300),
        *(act for _ in range(FORCED_A_DAY) for act in (Rotate(), Pass(600))),
        Pass(DAY_SECONDS, 300, 300),
        Heal(),
    ],
    "credentials are bad for a day": [
        DeleteAccounts(),
        Pass(3600, 60, 600),
        ChangeCredentials(Pair.BAD),
        ChangeCredentials(Pair.MALFORMED),
        Pass(DAY_SECONDS, 300),
        Heal(),
    ],
    "the same token again for hours, although it was revoked": [
        Turn(Weather.SAME),
        Pass(3600, 60, 600),
        Heal(),
    ],
    "each new token ends the others, and nothing can be published": [
        Turn(Weather.REVOKES),
        Turn(Weather.PROMOTION_FAILS),
        Pass(7200, 60),
        Heal(),
    ],
}


@pytest.mark.parametrize("history", HARD.values(), ids=HARD)
def test_the_rules_hold_in_hard_times(history):
    play(World(watchdog_phase=17), history)


@pytest.mark.parametrize("history", KEPT.values(), ids=KEPT)
def test_a_history_that_has_broken_a_rule_breaks_none(history):
    play(World(), history)
