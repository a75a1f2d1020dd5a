"""One schedule of a scenario. Each run is a thread, and one thread at a time continues, to its next call.

A schedule is a string with a letter for each step. `a` lets the first run continue, `b` the second one, and a capital
letter kills the run at its call.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Hashable
from typing import ClassVar

from doubles.system import CREDENTIALS, TOKEN
from faults.histories.outside import Died, Frame, killed
from faults.search.scenarios import Scenario
from faults.search.world import SearchedWorld
from rotator.domain.result import Result
from rotator.domain.token_response import TokenResponse
from rotator.ports import Probed, SecretVersion
from talend_token._sources import Published, Renewal

# The runs of a scenario store fewer versions than this.
_MOST_NEW_VERSIONS = 9


class _Abandoned(BaseException):
    """The rest of the schedule is known, so that its runs end."""


class _Worker:
    """A thread that is reused, because starting a thread would take longer than a run."""

    _idle: ClassVar[list[_Worker]] = []

    def __init__(self) -> None:
        self.go = threading.Lock()
        self.go.acquire()
        self.job: Callable[[], None] = lambda: None
        threading.Thread(target=self._work, daemon=True, name="a run of the search").start()

    @classmethod
    def take(cls) -> _Worker:
        return cls._idle.pop() if cls._idle else cls()

    def _work(self) -> None:
        while True:
            self.go.acquire()
            self.job()


class _Run:
    """The run of one actor."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.letter = "abc"[number]
        self.at = "start"
        self.done = self.killed = False
        self.slept_at: int | None = None
        """The step at which it began to sleep."""
        self.frames: list[Frame] = []
        self.history = 0
        """A hash of all that it has learned, which decides its next step."""
        self.worker: _Worker | None = None


class Interleaving:
    """A scenario at some point of a schedule.

    `choose` returns each step. It is called in the thread that has just stopped, so that no other thread is woken if
    the same run continues.
    """

    def __init__(self, scenario: Scenario, choose: Callable[[Interleaving], str | None]) -> None:
        self.scenario = scenario
        self.schedule = ""
        # The client draws its pauses.
        random.seed(0)
        self.world = SearchedWorld(scenario)
        self._choose = choose
        self._runs = [_Run(number) for number in range(len(scenario.actors))]
        self._running = self._runs[0]
        self._abandoned = False
        self._error: BaseException | None = None
        self._ended = threading.Lock()
        self._ended.acquire()

    def play(self) -> None:
        """Play until all runs have ended, or `choose` returns None.

        Raises:
            InvariantBroken: a rule does not hold.
        """
        self.world.begin()
        self.world.point = self._pause
        self.world.outside.at_call = self.world.before_call
        self.world.outside.answered = self._learned
        self._go_on(None)
        self._ended.acquire()
        if self._error is not None:
            raise self._error
        if not self._abandoned:
            self._finish()

    # --- steps ---

    def options(self) -> list[str]:
        """Return the steps that are possible now. The first one continues the same run."""
        able = [run for run in self._runs if not run.done and not self._sleeps(run)]
        able = able or [run for run in self._runs if not run.done]
        able.sort(key=lambda run: (run is not self._running, run.slept_at or 0))
        letters = [run.letter for run in able]
        if self.scenario.kill == "any" and not self.was_killed:
            letters += [run.letter.upper() for run in able if run.at != "start"]
        return letters

    def is_preemption(self, letter: str) -> bool:
        """Return True if that step interrupts a run that could continue, or wakes another sleeper than the first."""
        run, chosen = self._running, self._runs["abc".index(letter.lower())]
        if chosen is not run and run.at != "start" and not run.done and not self._sleeps(run):
            return True
        return chosen.slept_at is not None and letter.lower() != self.options()[0]

    @property
    def was_killed(self) -> bool:
        """Return True if a run was killed."""
        return not self.schedule.islower() and bool(self.schedule)

    def _go_on(self, stopped: _Run | None) -> None:
        """Choose a step, and wake its run unless that is the one that has just stopped."""
        letter = None
        try:
            letter = self._choose(self) if not self._abandoned else None
        except BaseException as error:  # noqa: BLE001 (raised by `play`)
            self._error = self._error or error
        if letter is None:
            self._end(stopped)
            return
        run = self._running = self._runs["abc".index(letter.lower())]
        self.schedule += letter
        self.world.steps += 1
        if run.at == "start":
            run.history = hash((self.world.witness.publications, *(other.done for other in self._runs)))
        run.killed, run.slept_at = letter.isupper(), None
        self.world.outside.frames = run.frames
        if run is not stopped:
            self._wake(run)
            if stopped and not stopped.done:
                self._wait(stopped)

    def _end(self, stopped: _Run | None) -> None:
        """End the play. Runs that have not ended are woken one after the other, to end as well."""
        left = [run for run in self._runs if not run.done]
        self._abandoned = self._abandoned or bool(left)
        started = [run for run in left if run.worker is not None]
        if stopped in started:
            return
        if started:
            self.world.outside.frames = started[0].frames
            self._wake(started[0])
        else:
            self._ended.release()

    def _wake(self, run: _Run) -> None:
        if run.worker is None:
            run.worker = _Worker.take()
            run.worker.job = lambda: self._run(run)
        run.worker.go.release()

    def _wait(self, run: _Run) -> None:
        assert run.worker is not None
        run.worker.go.acquire()

    def _run(self, run: _Run) -> None:
        try:
            self.world.act(run.number)
        except BaseException as error:  # noqa: BLE001 (raised by `play`)
            if not self._abandoned:
                self._error, self._abandoned = error, True
        run.done = True
        assert run.worker is not None
        _Worker._idle.append(run.worker)
        self._go_on(run)

    def _pause(self, name: str) -> bool:
        """Stop the running run before an outside call, and choose the next step."""
        run = self._running
        if self._abandoned:
            raise _Abandoned
        run.at = name
        if name == "sleep":
            run.slept_at = self.world.steps
        self._go_on(run)
        if self._abandoned:
            raise _Abandoned
        if run.killed:
            run.killed = False
            if run.frames:
                raise killed(self.world.outside.frame)
            raise Died
        return any(other is not run and not other.done and other.at != "sleep" for other in self._runs)

    def _sleeps(self, run: _Run) -> bool:
        """Return True for a sleeping run that would see nothing new, because no other run has done a step since."""
        return run.slept_at == self.world.steps

    def _finish(self) -> None:
        """Let the world recover after all runs have ended."""
        self.world.point = lambda _: False
        self.world.outside.at_call = lambda _: None
        self.world.outside.frames = []
        self.world.recover(killed=self.was_killed)

    # --- states ---

    def _learned(self, name: str, answer: object) -> None:
        run, world = self._running, self.world
        run.history = hash((run.history, name, _known(answer), world.system.clock.now, world.witness.publications))

    def state(self) -> int:
        """Return a hash of all that decides what can still happen. Equal states have the same future.

        The states themselves would fill the memory, and two hashes of 64 bits are not equal by chance.
        """
        world, system = self.world, self.world.system
        secrets = [system.secrets._secrets[name] for name in (TOKEN, CREDENTIALS)]
        return hash(
            (
                tuple((run.at, run.done, run.slept_at == world.steps, run.history) for run in self._runs),
                self.was_killed,
                system.clock.now,
                tuple((frozenset(secret.labels.items()), *secret.created[-_MOST_NEW_VERSIONS:]) for secret in secrets),
                tuple((key, at, version and version.version_id) for key, (at, version) in world.store._before.items()),
                frozenset(system.lock._until.items()),
                frozenset(system.lock._results.items()),
                frozenset(system.breaker._open_until.items()),
                (
                    len(world.talend._ends),
                    world.talend._last,
                    frozenset(world.talend.accounts),
                    frozenset(world.known_rejected),
                ),
                frozenset(world.ledger._requested.items()),
                frozenset(world.ledger._excused.items()),
                frozenset((version, frozenset(after)) for version, after in world.witness._successors.items()),
                frozenset(world.tokens_before or ()),
            )
        )


def _known(answer: object) -> Hashable:
    """Return a hashable form of an answer, which is the same for equal answers."""
    match answer:
        case SecretVersion():
            return answer.version_id, answer.stages, answer.created_at
        case TokenResponse():
            return answer.requested_at, answer.body
        case Result():
            return str(answer.outcome), answer.version_id
        case Probed():
            return answer.verdict
        case BaseException():
            return type(answer).__name__, str(answer)
        case list():
            return tuple(answer)
        case Published():
            return answer.token.version_id
        case Renewal():
            return answer.outcome, answer.retry_after_seconds
        case Hashable():
            return answer
    raise TypeError(type(answer))
