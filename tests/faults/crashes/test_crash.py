"""A run is killed before and after each call to the outside: no harm is done, and the next run recovers.

The calls are those of a healthy run. Only the calls that were answered before a kill decide what it leaves behind, so
a kill just before a call and one just after the call before it are tried in turns. The long run tries both, and every
way to go on after each.
"""

import itertools

import pytest

from faults.crashes.scene import AFTER_A_REFUSAL, PATIENCE_SECONDS, REFUSED_PAIR, WITH_A_PROBE, Scenario, Scene
from faults.matrix.columns import State, Trigger
from faults.matrix.world import running_world
from faults.size import chosen
from log_specification import check
from rotator.domain.policy import TokenState, state_of

# The watchdog leaves a FRESH token alone.
SCENARIOS = [
    Scenario(trigger, state)
    for trigger in Trigger
    for state in (State.ABSENT, State.FRESH, State.STALE, State.EXPIRED)
    if (trigger, state) != (Trigger.WATCHDOG, State.FRESH)
] + [
    Scenario(Trigger.WATCHDOG, State.STALE, WITH_A_PROBE),
    Scenario(Trigger.WATCHDOG, State.STALE, AFTER_A_REFUSAL),
    Scenario(Trigger.WATCHDOG, State.EXPIRED, REFUSED_PAIR),
]
# No rotation can do without these; a secret's first version moves no label.
NEEDED = ("GetSecretValue", "PutItem", "GetSecretValue", "POST /security/oauth/token", "PutSecretValue", "UpdateItem")

# A lock is for as long as its run could have lasted, which is a minute at the most.
LATER = 61
# A token that was left staged has expired by then.
LONG_AFTER = 1900


def at_once(scene):
    """The same event arrives twice within a second, and then not before Lambda tries again."""
    scene.world.tick(1)
    assert not scene.again().error, "a duplicate is not a failure"
    scene.world.tick(LATER - 1)
    return scene.again()


def again(scene):
    scene.world.tick(LATER)
    return scene.again()


def long_after(scene):
    """Nothing runs for half an hour."""
    scene.world.tick(LONG_AFTER)
    return scene.act(Trigger.WATCHDOG)


def later(trigger):
    def act(scene):
        scene.world.tick(LATER)
        return scene.act(trigger)

    act.__name__ = f"later: {trigger}"
    return act


WAYS_ON = [*map(later, (Trigger.WATCHDOG, Trigger.MANUAL, Trigger.REJECTED)), again, at_once, long_after]


@pytest.fixture(scope="module")
def world():
    with running_world(PATIENCE_SECONDS) as world:
        # It is made here once for all forks.
        world.with_sockets()
        yield world


def kills(calls):
    """Yield each moment between two calls, the one before the first and the one after the last, with the ways to die
    there."""
    for place in range(len(calls) + 1):
        before = [(place, "before")] if place < len(calls) else []
        after = [(place - 1, "after")] if place > 0 else []
        yield [*before, *after]


def some(alternatives, turn):
    """Return one of them in turns, or all of them in a long run."""
    return chosen([alternatives[turn % len(alternatives)]], alternatives)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_run_may_be_killed_at_any_call(world, scenario):
    healthy = Scene(world, scenario)
    calls = healthy.begin()
    assert_is_healthy(healthy)
    remaining = iter(calls)
    assert all(name in remaining for name in NEEDED), calls
    assert ("GET /account/users" in calls) is (scenario.detail == WITH_A_PROBE)
    for turn, ways_to_die in enumerate(kills(calls), start=SCENARIOS.index(scenario)):
        for kill, go_on in itertools.product(some(ways_to_die, turn), some(WAYS_ON, turn)):
            print(f"killed {kill[1]} {kill[0]} {calls[kill[0]]}, then {go_on.__name__}")
            scene = Scene(world, scenario)
            lost = begin_and_die(scene, kill, calls)
            assert_recovers(scene, go_on, lost)


def begin_and_die(scene, kill, calls):
    """Return how many tokens the dead run had and did not store: none, or one that is lost."""
    issued, versions = scene.tokens_issued, scene.versions_made
    assert scene.begin(kill) == calls[: kill[0] + 1]
    lost = (scene.tokens_issued - issued) - (scene.versions_made - versions)
    assert 0 <= lost <= 1
    return lost


def assert_recovers(scene, go_on, lost):
    """Without an operator, and for no more than the token that was lost."""
    wasted = scene.versions_made - scene.witness.publications if go_on is long_after else 0
    assert_ends_well(go_on(scene))
    assert state_of(scene.published, scene.world.clock()) is TokenState.FRESH, f"published after {go_on.__name__}"
    # Lambda tries again what was lost with its process, and the watchdog comes by.
    assert_ends_well(again(scene))
    scene.world.tick(LATER)
    assert_ends_well(later(Trigger.WATCHDOG)(scene))
    assert_is_healthy(scene, lost, wasted)


def assert_ends_well(ending):
    assert not ending.error
    assert ending.kind != "in_progress", "the dead run's lock has outlived it"


def assert_is_healthy(scene, lost=0, wasted=0):
    check(scene.lines)
    assert scene.client_of_published == scene.account.client_id, "a token of the stored credentials works"
    assert state_of(scene.published, scene.world.clock()) is TokenState.FRESH
    assert scene.tokens_issued == scene.versions_made + lost, "each other token was stored"
    assert scene.versions_made == scene.witness.publications + wasted, "each other version was published"
