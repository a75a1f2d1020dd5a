"""A run is killed before and after each call to the outside: no harm is done, and the next run recovers.

The calls are those that a healthy run is seen to make. What a kill leaves behind is decided by the calls that were
answered before it, so that a kill just before a call and one just after the call before it are tried in turns; the long
run tries both, and every way to go on after each.
"""

import itertools

import pytest

from faults.crashes.scene import NEW, PROBE_PATH, Scenario, Scene, Surroundings
from faults.size import chosen
from log_specification import check
from rotator.domain.policy import TokenState, state_of

pytest_plugins = ["local_aws.fixtures"]

# The watchdog leaves a FRESH token alone.
SCENARIOS = [
    Scenario(trigger, state)
    for trigger in ("schedule", "watchdog", "manual", "rejected", "credentials changed")
    for state in ("absent", "FRESH", "STALE", "EXPIRED")
    if (trigger, state) != ("watchdog", "FRESH")
] + [
    Scenario("watchdog", "STALE", probe_path=PROBE_PATH),
    Scenario("watchdog", "STALE", refused_before=True),
    Scenario("watchdog", "EXPIRED", current_pair_refused=True),
]
TWICE = chosen(
    [Scenario("watchdog", "STALE")],
    [Scenario("watchdog", "STALE"), Scenario("rejected", "EXPIRED"), Scenario("manual", "absent")],
)
# What no rotation can do without; that of a secret's first version moves no label.
NEEDED = ("GetSecretValue", "PutItem", "GetSecretValue", "POST /security/oauth/token", "PutSecretValue", "UpdateItem")

# A lock is for as long as its run could have lasted, a minute at the most.
LATER = 61
# A token that was left staged has expired by then.
LONG_AFTER = 1900


def at_once(scene):
    """The same event twice within a second, and then not before Lambda tries again."""
    scene.at(1)
    answer = scene.begin()
    assert answer.error is None, "a duplicate is no failure"
    scene.at(LATER)
    return scene.begin()


def long_after(scene):
    """Nothing ran for half an hour."""
    scene.at(LONG_AFTER)
    return scene.watchdog()


def later(act):
    def go(scene):
        scene.at(LATER)
        return act(scene)

    go.__name__ = act.__name__
    return go


WAYS_ON = [later(Scene.watchdog), later(Scene.manual), later(Scene.renewal), later(Scene.begin), at_once, long_after]


@pytest.fixture(scope="module")
def surroundings(local_aws):
    with Surroundings(local_aws) as surroundings:
        yield surroundings


def ids(scenario):
    return str(scenario)


def kills(calls):
    """Each moment between two calls, the one before the first and the one after the last, in the ways to die there."""
    for place in range(len(calls) + 1):
        before = [(place, "before")] if place < len(calls) else []
        after = [(place - 1, "after")] if place > 0 else []
        yield [*before, *after]


def some(alternatives, turn):
    """One of them in turns, or all of them in a long run."""
    return chosen([alternatives[turn % len(alternatives)]], alternatives)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=ids)
def test_a_run_may_be_killed_at_any_call(surroundings, scenario, subtests):
    healthy = Scene(surroundings, scenario)
    calls = healthy.begin().calls
    assert_is_healthy(healthy)
    assert contains_in_order(calls, NEEDED), calls
    for turn, ways_to_die in enumerate(kills(calls), start=SCENARIOS.index(scenario)):
        for kill, go_on in itertools.product(some(ways_to_die, turn), some(WAYS_ON, turn)):
            with subtests.test(kill=f"{kill[1]} {kill[0]} {calls[kill[0]]}", then=go_on.__name__):
                scene = Scene(surroundings, scenario)
                lost = begin_and_die(scene, kill, calls)
                assert_recovers(scene, go_on, lost)


@pytest.mark.parametrize("scenario", TWICE, ids=ids)
def test_the_run_that_recovers_may_be_killed_as_well(surroundings, scenario, subtests):
    calls = Scene(surroundings, scenario).begin().calls
    stages = ["POST /security/oauth/token", "PutSecretValue", "UpdateSecretVersionStage"]
    first_places = chosen([calls.index(stage) for stage in stages], range(len(calls)))
    for first in first_places:
        scene = Scene(surroundings, scenario)
        begin_and_die(scene, (first, "after"), calls)
        scene.at(LATER)
        calls_again = scene.begin().calls
        for turn, ways_to_die in enumerate(kills(calls_again), start=first):
            for second in some(ways_to_die, turn):
                with subtests.test(first=calls[first], second=f"{second[1]} {second[0]} {calls_again[second[0]]}"):
                    scene = Scene(surroundings, scenario)
                    lost = begin_and_die(scene, (first, "after"), calls)
                    scene.at(LATER)
                    lost += begin_and_die(scene, second, calls_again)
                    scene.at(LATER * 2)
                    assert_recovers(scene, Scene.watchdog, lost)


def test_nothing_gets_past_the_instrument(surroundings):
    answer = Scene(surroundings, Scenario("watchdog", "EXPIRED", probe_path=PROBE_PATH)).begin()
    assert answer.outcome == "rotated"
    # The local AWS and Talend: any other way out of the process would show here and be no call.
    assert answer.connected == answer.addresses
    assert len(answer.addresses) == 2
    assert "GET /account/users" in answer.calls


def test_a_kill_is_one(surroundings):
    scene = Scene(surroundings, Scenario("manual", "FRESH"))
    answer = scene.begin(kill=(0, "before"))
    assert (answer.killed, answer.answer, answer.error, len(answer.calls)) == (True, None, None, 1)
    assert not scene.begin().killed


def contains_in_order(calls, needed):
    remaining = iter(calls)
    return all(name in remaining for name in needed)


def begin_and_die(scene, kill, calls):
    """How many tokens the dead run had and did not store: none, or one that nobody can find again."""
    issued, versions = scene.tokens_issued, scene.versions
    dead = scene.begin(kill)
    assert dead.killed
    assert dead.calls == calls[: kill[0] + 1]
    lost = (scene.tokens_issued - issued) - (scene.versions - versions)
    assert 0 <= lost <= 1
    return lost


def assert_recovers(scene, go_on, lost):
    """Without a person, and for no more than the token that was lost."""
    wasted = scene.versions - scene.witness.publications if go_on is long_after else 0
    answer = go_on(scene)
    assert answer.error is None
    assert answer.outcome != "in_progress", "the dead run's lock has outlived it"
    now = scene.surroundings.now()
    assert state_of(scene.published, now) is TokenState.FRESH, f"what is published after {go_on.__name__}"
    # Lambda tries again what was lost with its process, and the watchdog comes by.
    for after, act in ((LATER, scene.begin), (2 * LATER, scene.watchdog)):
        scene.at(scene.surroundings.ahead_seconds + after)
        answer = act()
        assert answer.error is None
        assert answer.outcome != "in_progress"
    assert_is_healthy(scene, lost, wasted)


def assert_is_healthy(scene, lost=0, wasted=0):
    check(scene.lines)
    assert scene.client_of_published, "a token that works is published"
    assert state_of(scene.published, scene.surroundings.now()) is TokenState.FRESH
    if scene.scenario.trigger == "credentials changed":
        assert scene.client_of_published == NEW.client_id
    assert scene.tokens_issued == scene.versions + lost, "each other token was stored"
    assert scene.versions == scene.witness.publications + wasted, "each other version was published"
