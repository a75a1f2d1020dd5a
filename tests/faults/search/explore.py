"""Searches all schedules of a scenario, depth first, and continues once from each state.

Two schedules that lead to the same state have the same future, so one of them stands for both. The number of schedules
is the number of paths over the states, from the first one to an end.
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


@dataclass
class Found:
    """The numbers that a search has covered."""

    schedules: int = 0
    executions: int = 0
    states: int = 0

    def __add__(self, other: Found) -> Found:
        return Found(self.schedules + other.schedules, self.executions + other.executions, self.states + other.states)


@dataclass
class _Graph:
    """The numbers of the states, each with those that follow it."""

    numbers: dict[object, int] = field(default_factory=dict)
    following: list[list[int]] = field(default_factory=lambda: [[]])

    def reach(self, state: object, before: int) -> tuple[int, bool]:
        """Note that a state follows another. Return its number, and whether it is new."""
        number = self.numbers.setdefault(state, len(self.following))
        is_new = number == len(self.following)
        if is_new:
            self.following.append([])
        self.following[before].append(number)
        return number, is_new

    def paths(self) -> int:
        """Return the number of ways from the beginning to an end."""
        counts: dict[int, int] = {}

        def count(number: int) -> int:
            if number not in counts:
                after = self.following[number]
                counts[number] = sum(count(next_number) for next_number in after) if after else 1
            return counts[number]

        return count(0)


def explore(scenario: Scenario, preemptions: int | None = None) -> Found:
    """Play every schedule of a scenario, or only those with at most so many preemptions.

    Raises:
        BrokenSchedule: a rule does not hold in one of them.
    """
    search = _Search(preemptions)
    while search.waiting:
        search.given, search.used, search.state = search.waiting.pop()
        _play(scenario, search.choose)
        search.executions += 1
    return Found(search.graph.paths(), search.executions, len(search.graph.numbers))


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


@dataclass
class _Search:
    """The schedule that is played, and those that are still to be played."""

    preemptions: int | None
    graph: _Graph = field(default_factory=_Graph)
    executions: int = 0
    waiting: list[tuple[str, int, int]] = field(default_factory=lambda: [("", 0, 0)])
    """The schedules to continue, each with its preemptions and the number of the state before its last step."""
    given: str = ""
    used: int = 0
    state: int = 0

    def choose(self, interleaving: Interleaving) -> str | None:
        """Return the next step of the given schedule, or of a new one after its end. Return None at a known state."""
        played = interleaving.schedule
        if len(played) < len(self.given):
            return self.given[len(played)]
        state = interleaving.state()
        if self.preemptions is not None:
            state = (state, self.used, played[-1:].lower())
        self.state, is_new = self.graph.reach(state, self.state)
        options = interleaving.options() if is_new else []
        for letter in options[1:]:
            used = self.used + interleaving.is_preemption(letter)
            if self.preemptions is None or used <= self.preemptions:
                self.waiting.append((played + letter, used, self.state))
        if not options:
            return None
        self.used += interleaving.is_preemption(options[0])
        return options[0]
