"""Rotations of many accounts by the project's functions, deployed to the embedded local AWS."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from bench.accounts_fleet import SLOW_SECONDS, Fleet, deployed, idle_seconds
from bench.measurement import Table, in_turns, progress

ACCOUNTS = (10, 100, 300)
QUICK_ACCOUNTS = (10, 40)
# As many in every row and lap. Each of 10 accounts stays below 100 versions a day.
LAPS, LAP_ROTATIONS = 5, 120
QUICK_LAPS, QUICK_LAP_ROTATIONS = 2, 20
CALLERS = 8
# Of the accounts beside those that are measured: nobody who rotates one of these waits for one of them.
CALLERS_BESIDE = 4
# Rotations of which each call is recorded.
RECORDED = 3


@dataclass
class Row:
    """Some of the accounts, and what was found while they were rotated by turns, all laps together."""

    name: str
    fleet: Fleet
    accounts: Sequence[str]
    rotations: int
    """In each lap."""
    beside: Sequence[str] = ()
    """Accounts that are rotated meanwhile by callers of their own."""
    seconds: float = 0
    times: list[float] = field(default_factory=list)
    """Seconds of each rotation of one of `accounts`."""
    runs_beside: int = 0
    """Until the last one of those."""
    runs: int = 0
    """All, with those beside that ended later."""
    token_calls: int = 0
    versions: int = 0
    lock_items: int = 0
    cpu_seconds: Counter[str] = field(default_factory=Counter)
    idle_seconds: float = 0
    """Of all cores."""

    def lap(self) -> float:
        """Rotate the accounts by turns until there are so many rotations; the result is the seconds of it."""
        fleet, everybody = self.fleet, (*self.accounts, *self.beside)
        before = fleet.token_calls(), fleet.versions(everybody), fleet.lock_items()
        cpu, idle = fleet.cpu_seconds(), idle_seconds()
        times: list[float] = []
        beside: list[float] = []
        finished = threading.Event()
        started = time.perf_counter()
        with ThreadPoolExecutor(1) as pool:
            callers = CALLERS_BESIDE if self.beside else 0
            others = pool.submit(by_turns, fleet.rotate, self.beside, callers, beside, finished.is_set)
            try:
                by_turns(fleet.rotate, self.accounts, CALLERS, times, lambda: len(times) >= self.rotations)
                seconds = time.perf_counter() - started
                self.runs_beside += len(beside)
                self.idle_seconds += idle_seconds() - idle
            finally:
                finished.set()
        others.result()
        self.cpu_seconds += fleet.cpu_seconds() - cpu
        self.token_calls += fleet.token_calls() - before[0]
        self.versions += fleet.versions(everybody) - before[1]
        self.lock_items += fleet.lock_items() - before[2]
        self.times += times
        self.runs += len(times) + len(beside)
        self.seconds += seconds
        return seconds


def by_turns(
    rotate: Callable[[str], bool],
    accounts: Sequence[str],
    callers: int,
    times: list[float],
    enough: Callable[[], bool],
) -> None:
    """Have callers rotate the accounts one after the other, and never one account twice at the same moment.

    `times` gets the seconds of each rotation, without the calls of which `rotate` says that they were none.
    """
    waiting: SimpleQueue[str] = SimpleQueue()
    for account in accounts:
        waiting.put(account)

    def caller() -> None:
        while not enough():
            account = waiting.get()
            started = time.perf_counter()
            if rotate(account):
                times.append(time.perf_counter() - started)
            waiting.put(account)

    with ThreadPoolExecutor(callers or 1) as pool:
        for done in [pool.submit(caller) for _ in range(callers)]:
            done.result()


def run(quick: bool) -> list[Table]:
    """Deploy, rotate a few accounts alone, and then few and many by turns."""
    laps, rotations = (QUICK_LAPS, QUICK_LAP_ROTATIONS) if quick else (LAPS, LAP_ROTATIONS)
    few, *_, most = sizes = QUICK_ACCOUNTS if quick else ACCOUNTS
    with deployed() as fleet:
        progress(f"{few} accounts, and no others")
        fleet.grow(few)
        alone = Row(f"{few}, and no others", fleet, fleet.good[:], rotations)
        in_turns({alone.name: alone.lap}, laps)
        progress(f"{most} accounts, and {most // 10} broken ones, are created")
        fleet.grow(most)
        fleet.add_broken(most // 10)
        rows = [Row(f"{count} of {most}", fleet, fleet.good[-count:], rotations) for count in sizes]
        sound = fleet.good[most // 10 :]
        rows.append(Row(f"{len(sound)} beside {most // 10} good", fleet, sound, rotations, fleet.good[: most // 10]))
        rows.append(Row(f"{len(sound)} beside {most // 10} broken", fleet, sound, rotations, fleet.broken))
        in_turns({row.name: row.lap for row in rows}, laps)
        progress("the calls of single rotations are recorded")
        calls = {row.name: fleet.calls_of_a_rotation(row.accounts[-RECORDED:]) for row in (alone, *rows)}
    return [_taken([alone, *rows], rows[0]), _spent([alone, *rows], rows[0], calls)]


def _ratio(value: float, floor: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f} ({value / floor:.2f})"


def _p99(times: Sequence[float]) -> float | None:
    """What 99 % do not exceed; fewer than 100 do not tell."""
    return statistics.quantiles(times, n=100, method="inclusive")[-1] if len(times) >= 100 else None


def _taken(rows: Sequence[Row], floor: Row) -> Table:
    lines = []
    for row in rows:
        p99, floor_p99 = _p99(row.times), _p99(floor.times)
        lines.append(
            (
                row.name,
                str(len(row.times)),
                _ratio(len(row.times) / row.seconds, len(floor.times) / floor.seconds, 1),
                _ratio(1e3 * statistics.median(row.times), 1e3 * statistics.median(floor.times)),
                _ratio(1e3 * p99, 1e3 * floor_p99) if p99 and floor_p99 else "",
                str(row.runs_beside),
                _ratio(_runs_a_second(row), _runs_a_second(floor), 1),
            )
        )
    header = ("accounts", "rotations", "a second", "p50, ms", "p99, ms", "runs beside", "all runs a second")
    return Table("Rotations of many accounts", header, lines, TAKEN_NOTES)


TAKEN_NOTES = (
    f"{CALLERS} callers invoke `rotate` with the schedule's event for one account after the other, the next as "
    "soon as they have the answer. The columns show rotations a second and the milliseconds of an invocation as "
    "its caller sees it, with the ratio to the second row in parentheses. All rows but the first took turns. "
    f'"Beside" means that {CALLERS_BESIDE} more callers rotate other accounts meanwhile, which the other columns '
    "leave out. Half of the broken accounts have credentials that are refused, and half have a token endpoint "
    f"that takes {SLOW_SECONDS} s. Everything runs on one machine whose cores are the limit, so more callers wait "
    "longer, whatever they rotate."
)


def _runs_a_second(row: Row) -> float:
    return (len(row.times) + row.runs_beside) / row.seconds


def _spent(rows: Sequence[Row], floor: Row, calls: Mapping[str, Mapping[str, float]]) -> Table:
    lines = []
    for row in rows:
        cpu = [
            _ratio(1e3 * row.cpu_seconds[whose] / row.runs, 1e3 * seconds / floor.runs, 1)
            for whose, seconds in floor.cpu_seconds.items()
        ]
        counts = (row.runs, row.token_calls, row.versions, row.lock_items)
        services = [_of_service(calls[row.name], service) for service in ("secretsmanager", "dynamodb")]
        cores = [f"{seconds / row.seconds:.1f}" for seconds in (sum(row.cpu_seconds.values()), row.idle_seconds)]
        lines.append((row.name, *map(str, counts), *services, *cpu, *cores))
    header = (
        *("accounts", "runs", "token calls", "versions written", "new items in the lock table"),
        *("Secrets Manager calls a rotation", "lock table calls"),
        *(f"CPU of {whose}, ms a run" for whose in floor.cpu_seconds),
        *("cores busy with it", "cores idle"),
    )
    names = ", ".join(f"{count:g} {name.partition(' ')[2]}" for name, count in calls[floor.name].items())
    return Table("What the rotations of many accounts cost", header, lines, SPENT_NOTES.format(names=names))


SPENT_NOTES = (
    f"The same runs, including those beside. The calls are those of one rotation of a good account ({{names}}), "
    "from the local AWS's trail. The lock table's time to live removes items of earlier rows at times of its own, "
    "so their number can fall. CPU is user and system time, with the ratio to the second row. The last columns "
    "say how many cores were busy with all of that and how many were idle, on average; other programs used the "
    f"rest of the {os.cpu_count()}."
)


def _of_service(calls: Mapping[str, float], service: str) -> str:
    return f"{sum(count for name, count in calls.items() if name.startswith(f'{service} ')):g}"
