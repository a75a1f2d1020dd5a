"""Random histories of the whole system, in virtual time. The rules hold after each act, and within each act.

`faults.histories.acts` lists the acts. The rules are in `faults.invariants`, `faults.journal`,
`faults.histories.ledger`, `faults.histories.consumer` and `Heal`.
"""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faults.histories.acts import (
    ByHand,
    Call,
    ChangeCredentials,
    ClockJump,
    FunctionClockJump,
    Nap,
    Pair,
    Pass,
    PutByHand,
    Revoke,
    RollBack,
    Rotate,
    play,
)
from faults.histories.consumer import SUCCEEDED
from faults.histories.incidents import Act, Die, Fail, Incident, Meanwhile, Slow, Stale
from faults.histories.ledger import FORCED_A_DAY
from faults.histories.weather import Heal, Turn, Weather
from faults.histories.world import World
from faults.invariants import DAY_SECONDS
from faults.size import chosen
from rotator.domain.invocation import Trigger

# Every line is covered by its own tests; measuring it here would take three times as long.
pytestmark = [pytest.mark.no_cover, pytest.mark.frames_unwatched, pytest.mark.usefixtures("quiet")]

CONSUMERS = 3
# The troubles at outside calls in a month.
INCIDENTS: list[Incident] = [Fail(), Fail(2, lost=True), Die(), Die(after=True), Slow(20), Slow(65), Stale()]

consumers = st.integers(0, CONSUMERS - 1)
lapses = st.sampled_from([1, 5, 30, 60, 61, 240, 600, 1440, 1500, 1800, 3000])
changes = st.one_of(
    st.builds(Revoke),
    st.builds(RollBack),
    st.builds(PutByHand, st.sampled_from(ByHand)),
    st.builds(Turn, st.sampled_from(Weather), st.booleans()),
)
incidents = st.one_of(
    st.builds(Fail, st.integers(0, 2), st.booleans()),
    st.builds(Die, st.booleans()),
    st.builds(Slow, st.sampled_from([2, 10, 20, 45, 65])),
    st.just(Stale()),
    # Runs within runs are left to the search of all interleavings, but for those that are due while a call is slow.
    st.builds(Meanwhile, changes),
)
# A replacement has some ten outside calls, and a call of a consumer that has it made has a few more.
plans = st.dictionaries(st.integers(0, 12), incidents, max_size=3)
acts = st.one_of(
    changes,
    st.builds(Rotate, st.sampled_from([Trigger.WATCHDOG, Trigger.MANUAL]), plans),
    st.builds(Rotate, st.just(Trigger.MANUAL), plans, st.just(True)),
    st.builds(Call, consumers, plans),
    st.builds(ChangeCredentials, st.sampled_from(Pair), st.booleans(), plans),
    st.builds(ClockJump, consumers, st.sampled_from([-100_000, -900, -290, -60, -1, 1, 60, 400, 2000, 100_000])),
    st.builds(Nap, consumers, lapses),
    st.builds(FunctionClockJump, st.integers(-2, 2)),
    st.builds(Pass, lapses),
    st.builds(Pass, st.sampled_from([3600, 7200, DAY_SECONDS]), st.just(300), st.sampled_from([0, 300, 3600])),
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


def trouble(draw: random.Random) -> list[Act]:
    """Something that goes wrong in a month."""
    consumer, weather = draw.randrange(CONSUMERS), draw.choice([one for one in Weather if one is not Weather.SHORT])
    plan = {draw.randrange(12): draw.choice(INCIDENTS) for _ in range(draw.randint(0, 2))}
    return draw.choice(
        [
            [Revoke()],
            [Revoke(), Call(consumer, plan)],
            [Rotate(Trigger.MANUAL, plan, dry_run=draw.random() < 0.5)],
            [Rotate(Trigger.WATCHDOG, plan)],
            [Call(consumer, {0: Die()}), Call(consumer, plan)],
            [RollBack()],
            [ChangeCredentials(plan=plan)],
            [Turn(weather), Pass(draw.randint(60, 7200), 300), Turn(weather, bad=False)],
        ]
    )


@pytest.mark.parametrize("seed", range(chosen(1, 200)))
def test_a_month_goes_by_without_a_person(seed):
    """Some five troubles a day: none is left after four minutes, and none costs the schedule its versions."""
    draw = random.Random(seed)
    world = World(consumers=CONSUMERS, watchdog_phase=draw.randrange(60))
    while world.now() < world.start + 30 * DAY_SECONDS:
        play(world, [Pass(draw.randint(1, DAY_SECONDS * 2 // 5), 300), *trouble(draw), Heal()])
    for consumer in world.consumers:
        assert sum(consumer.ends[end] for end in SUCCEEDED) > 0.95 * consumer.ends.total() > 7000


HARD: dict[str, list[Act]] = {
    "each token is rejected for a day": [Pass(DAY_SECONDS, 300, 300), Heal(), Pass(DAY_SECONDS, 300)],
    "each token is rejected for an hour, operators force what they may, and it continues": [
        Pass(3600, 300, 300),
        *(act for _ in range(FORCED_A_DAY) for act in (Rotate(), Pass(600))),
        Pass(DAY_SECONDS, 300, 300),
        Heal(),
    ],
    "credentials are bad for a day": [
        ChangeCredentials(Pair.BAD),
        ChangeCredentials(Pair.MALFORMED),
        Pass(3600, 60, 600),
        Pass(DAY_SECONDS, 300),
        Heal(),
    ],
    "the same token again for hours, although it was revoked": [
        Pass(120),
        Turn(Weather.SAME),
        Revoke(),
        # The circuit breaker that this call opens has closed again when all is healed.
        Call(0),
        Heal(),
        Turn(Weather.SAME),
        Pass(3600, 60, 600),
        Heal(),
    ],
    "a clock is set back, and the secret cannot be read until its token has expired": [
        Pass(1),
        Call(0),
        ClockJump(0, -290),
        Turn(Weather.CONSUMERS_BLIND),
        Pass(1900, 60),
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
