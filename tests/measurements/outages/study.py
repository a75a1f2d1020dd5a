"""Many random outages, and what they cost with each clockwork."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from outages.simulation import (
    SCHEDULE_SECONDS,
    TALEND_LIFE_SECONDS,
    WATCHDOG_SECONDS,
    Clockwork,
    Outage,
    seconds_without_token,
)

LONGEST_MINUTES = 60


@dataclass(frozen=True)
class Trial:
    """One outage, and the seconds without a valid token that it came to with each clockwork."""

    outage: Outage
    watchdog_at: int
    without: dict[Clockwork, int]


@dataclass(frozen=True)
class Cost:
    """Minutes without a valid token, over some outages."""

    mean: float
    median: float
    percentile_95: float
    worst: float

    @classmethod
    def of(cls, trials: Iterable[Trial], clockwork: Clockwork) -> Self:
        """What the outages cost with this clockwork; there must be two or more."""
        minutes = [trial.without[clockwork] / 60 for trial in trials]
        percentiles = statistics.quantiles(minutes, n=100, method="inclusive")
        return cls(statistics.fmean(minutes), percentiles[49], percentiles[94], max(minutes))


def random_trials(per_length: int, seed: int, life_seconds: int = TALEND_LIFE_SECONDS) -> list[Trial]:
    """Play outages of 1, 2, ... 60 minutes, `per_length` of each, and the same ones with each clockwork.

    They start at any second between two ticks of the schedule: a random one in each of `per_length` equal parts of that
    time, which gives steadier means than chance alone. The watchdog runs at any second of the minute.
    """
    # A stream of its own: the same outages in every run.
    chance = random.Random(seed)
    return [
        _trial(
            Outage(1 + int((part + chance.random()) * SCHEDULE_SECONDS / per_length), 60 * minutes),
            chance.randrange(WATCHDOG_SECONDS),
            life_seconds,
        )
        for minutes in range(1, LONGEST_MINUTES + 1)
        for part in range(per_length)
    ]


def _trial(outage: Outage, watchdog_at: int, life_seconds: int) -> Trial:
    without = {
        clockwork: seconds_without_token(outage, clockwork, life_seconds=life_seconds, watchdog_at=watchdog_at)
        for clockwork in Clockwork
    }
    return Trial(outage, watchdog_at, without)


def waits(trials: Iterable[Trial], clockwork: Clockwork) -> list[int]:
    """Seconds that each outage went on for consumers beyond what it cost the oracle."""
    return [trial.without[clockwork] - trial.without[Clockwork.ORACLE] for trial in trials]


def of_length(trials: Sequence[Trial], minutes: range) -> list[Trial]:
    """The trials whose outage lasted that many minutes."""
    return [trial for trial in trials if trial.outage.seconds // 60 in minutes]
