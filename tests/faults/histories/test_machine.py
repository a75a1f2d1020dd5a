"""Random histories of the whole system, in virtual time: what must hold does, after each act and within them.

`faults.histories.acts` lists what happens; `faults.invariants`, `faults.histories.ledger`,
`faults.histories.consumer` and `Heal` what must hold.
"""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from faults.histories.acts import (
    Act,
    ByHand,
    Call,
    ChangeCredentials,
    DeleteAccounts,
    Fail,
    Force,
    Heal,
    LateRenewal,
    Meanwhile,
    Pair,
    Pass,
    PutByHand,
    Revoke,
    RollBack,
    Stale,
    Turn,
    Weather,
)
from faults.histories.consumer import SUCCEEDED
from faults.histories.ledger import FORCED_A_DAY
from faults.histories.machine import Machine
from faults.histories.month import Month
from faults.histories.players import Players
from faults.histories.world import World
from faults.invariants import VERSIONS_A_DAY
from faults.size import chosen

# Every line is covered by its own tests; measuring it here would take three times as long.
pytestmark = [pytest.mark.no_cover, pytest.mark.frames_unwatched]

DAYS = 30
DAY_SECONDS = 86_400


@pytest.fixture(autouse=True)
def quiet():
    """What clients warn of in thousands of outages would fill the memory."""
    logger = logging.getLogger("talend_token")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def test_whatever_happens_the_rules_hold(record_property):
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=chosen(120, 4000),
            stateful_step_count=chosen(50, 80),
            deadline=None,
            # The same histories in every run of the tests, and others each time that there is time for many.
            derandomize=chosen(True, False),
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    record_property("acts", Machine.acts)
    record_property("outside calls", Machine.outside_calls)
    print(f"{Machine.acts} acts and {Machine.outside_calls} outside calls")


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
        Force(),
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
        ChangeCredentials(Pair.GOOD, told=False),
        DeleteAccounts(),
        PutByHand(ByHand.TOKEN),
        Force({4: Stale()}),
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
        Force(),
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
    # Made in the same moment as what a person put in its place, it was taken for left over, too.
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
    "each token is rejected for an hour, people force what they may, and it goes on": [
        Pass(3600, 300, 300),
        *(act for _ in range(FORCED_A_DAY) for act in (Force(), Pass(600))),
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


def play(world: World, history: list[Act]) -> None:
    players = Players(world)
    for act in history:
        players.do(act)
