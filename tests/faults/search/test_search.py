"""The rules hold in every interleaving of a few runs, at each of their outside calls.

`faults.search.scenarios` lists the runs, and what is wrong meanwhile. A failure prints how to play its schedule again.
The line in it, such as `schedule manual lock=down: aab`, can be kept as a test in `KEPT`.
"""

from __future__ import annotations

import math
import os

import pytest

from faults.search.explore import BrokenSchedule, explore, play
from faults.search.interleaving import Interleaving
from faults.search.planted_bugs import BUGS, Bug
from faults.search.scenarios import ACTORS, CHOICES, Scenario, groups, scenarios
from faults.size import chosen

# Every line is covered by its own tests; measuring it here would take three times as long.
pytestmark = [pytest.mark.no_cover, pytest.mark.frames_unwatched, pytest.mark.usefixtures("quiet")]

KEPT = [
    # Both runs reported the publication, because each had found the token staged.
    "schedule manual lock=down: aaaaaaabbbbbba",
    # The second run reported it too, because it had read the published version before the promotion, and the staged one
    # after it.
    "schedule manual lock=down: aaaaaaabbbabb",
    # Credentials changed while another run was publishing a token of the previous ones.
    "changed schedule: bbbbbbbaaaabb",
    # The server repeated itself, and a run published the token again that the other one had just published.
    "changed changed lock=down endpoint=repeats: aaaaabbbbaaaabbbbbbbbbbbb",
    "changed manual lock=down endpoint=repeats: aaaaabbbbaaaabbbbbbbbbbbb",
]
PLAY = [line for line in [os.environ.get("FAULTS_PLAY", "")] if line]


def search(actors: tuple[str, ...], unusual: int, preemptions: int | None) -> None:
    """Search all scenarios of these actors. Their executions include each order of the whole runs."""
    executions = sum(explore(scenario, preemptions) for scenario in scenarios(actors, unusual))
    print(f"{executions:,} executions")
    assert executions >= math.factorial(len(actors))


@pytest.mark.parametrize("actors", groups(1), ids=" ".join)
def test_a_run_alone_keeps_the_rules(actors: tuple[str, ...]) -> None:
    """Two things are wrong, and the run is killed at each of its calls."""
    search(actors, chosen(2, 4), None)


@pytest.mark.parametrize("actors", groups(2), ids=" ".join)
def test_two_runs_keep_the_rules(actors: tuple[str, ...]) -> None:
    """The short run plays the schedules with two preemptions, and the long one plays all, whatever is wrong."""
    search(actors, chosen(0, 2), chosen(2, None))


@pytest.mark.parametrize("actors", groups(3) if chosen(ci=False, long=True) else [], ids=" ".join)
def test_three_runs_keep_the_rules(actors: tuple[str, ...]) -> None:
    """The schedules have two preemptions, whatever is wrong."""
    search(actors, 1, 2)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_and_its_line_shows_it_again(bug: Bug) -> None:
    with bug.planted():
        with pytest.raises(BrokenSchedule) as found:
            explore(Scenario.parse(bug.scenario))
        with pytest.raises(BrokenSchedule) as again:
            play(found.value.line)
    assert str(again.value) == str(found.value)
    play(found.value.line)


@pytest.mark.parametrize("line", [*KEPT, *PLAY])
def test_a_schedule_that_has_broken_a_rule_breaks_none(line: str) -> None:
    play(line)


def test_without_equal_states_all_orders_are_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renewal of a version that was replaced has two steps, one to its only call and one to its end."""
    monkeypatch.setattr(Interleaving, "state", lambda interleaving: hash(interleaving.schedule))
    assert explore(Scenario.parse("rejected rejected published=replaced")) == 6


def test_a_kill_is_tried_at_every_call() -> None:
    calls = ("read", "lock", "read", "token", "probe", "stage", "promote", "unlock")
    # Once to its end, and killed before each of its calls.
    assert explore(Scenario.parse("manual kill=any")) == len(calls) + 1


def test_each_scenario_is_printed_as_it_is_read() -> None:
    every = [scenario for actors in groups(2) for scenario in scenarios(actors, 2)]
    assert [Scenario.parse(str(scenario)) for scenario in every] == every
    assert {actor for scenario in every for actor in scenario.actors} == set(ACTORS)
    for name, values in CHOICES.items():
        assert {getattr(scenario, name) for scenario in every} == set(values)
