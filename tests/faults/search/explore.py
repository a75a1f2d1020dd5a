"""Searches all schedules of a scenario, depth first, and continues once from each state.

Two schedules that lead to the same state have the same future, so one of them stands for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from faults.search.interleaving import Interleaving
from faults.search.scenarios import Scenario


class BrokenSchedule(AssertionError):
    """A schedule breaks a rule. The message shows how to play it again, and `line` is for `play`."""

    def __init__(self, scenario: Scenario, schedule: str, error: BaseException) -> None:
        self.line = f"{scenario}: {schedule}"
        again = f"FAULTS_PLAY={self.line!r} make faults ARGS='tests/faults/search -k has_broken'"
        super().__init__(f"{type(error).__name__}: {error}\nplay it again: {again}")


def explore(scenario: Scenario, preemptions: int | None = None) -> int:
    """Play every schedule of a scenario, or only those with at most so many preemptions. Return how many were played.

    Raises:
        BrokenSchedule: a rule does not hold in one of them.
    """
    search, executions = _Search(preemptions), 0
    while search.waiting:
        search.given, search.used = search.waiting.pop()
        _play(scenario, search.choose)
        executions += 1
    return executions


def play(line: str) -> None:
    """Play one schedule again, as a failure has printed it, and continue to the end.

    Raises:
        BrokenSchedule: a rule does not hold.
    """
    scenario, _, schedule = line.rpartition(":")
    letters = iter(schedule.strip())

    def choose(interleaving: Interleaving) -> str | None:
        options = interleaving.options()
        # The code may have fewer steps since then.
        return next((letter for letter in letters if letter in options), next(iter(options), None))

    _play(Scenario.parse(scenario), choose)


def _play(scenario: Scenario, choose: Callable[[Interleaving], str | None]) -> None:
    interleaving = Interleaving(scenario, choose)
    try:
        interleaving.play()
    except Exception as error:
        raise BrokenSchedule(scenario, interleaving.schedule, error) from error
    finally:
        # They refer to themselves. Taken apart, they need no garbage collection, which would take a third of the time.
        for part in (*interleaving.world.consumers, interleaving.world):
            vars(part).clear()


@dataclass
class _Search:
    """The schedule that is played, and those that are still to be played."""

    preemptions: int | None
    states: set[int] = field(default_factory=set)
    waiting: list[tuple[str, int]] = field(default_factory=lambda: [("", 0)])
    """The schedules to continue, each with its preemptions."""
    given: str = ""
    used: int = 0

    def choose(self, interleaving: Interleaving) -> str | None:
        """Return the next step of the given schedule, or of a new one after its end. Return None at a known state."""
        played = interleaving.schedule
        if len(played) < len(self.given):
            return self.given[len(played)]
        state = interleaving.state()
        if self.preemptions is not None:
            state = hash((state, self.used, played[-1:].lower()))
        options = interleaving.options() if state not in self.states else []
        self.states.add(state)
        for letter in options[1:]:
            used = self.used + interleaving.is_preemption(letter)
            if self.preemptions is None or used <= self.preemptions:
                self.waiting.append((played + letter, used))
        if not options:
            return None
        self.used += interleaving.is_preemption(options[0])
        return options[0]
