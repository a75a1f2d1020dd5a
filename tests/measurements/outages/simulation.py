"""Compute how long an outage of the token endpoint leaves consumers without a valid token.

The functions' own code runs over in-memory machines, in virtual time. Here is only what invokes `rotate`, and when.
While the token endpoint is down, it fails each request at once, so the attempts inside one invocation gain nothing.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from doubles.system import CREDENTIALS, System
from rotator.domain.errors import TokenUnavailable
from rotator.domain.invocation import Trigger

# A whole second, as the token document's times are.
EPOCH = 1_795_472_990
# The template's default, rate(25 minutes).
SCHEDULE_SECONDS = 1500
WATCHDOG_SECONDS = 60
# Lambda repeats an asynchronous invocation that failed after one minute and after two more [Lambda developer guide,
# error handling for asynchronous invocation].
LAMBDA_RETRIES_SECONDS = (0, 60, 180)
LONGEST_MINUTES = 60
OUTAGES_PER_LENGTH = 100
SEED = 1


class Clockwork(Enum):
    """The ways in which `rotate` is invoked besides a schedule of 25 minutes."""

    LAMBDA_RETRIES = "Lambda's own two retries of a tick that failed"
    WATCHDOG = "the watchdog each minute, and no retries"
    ORACLE = "the watchdog, and an operator who forces a rotation the second that the token endpoint is back"


class Outage(NamedTuple):
    """The token endpoint is down for some seconds, counted from a scheduled rotation.

    `starts_at` is 1 or more, because the first token is published at 0.
    """

    starts_at: int
    seconds: int
    watchdog_at: int = 0
    """The second of the minute at which the watchdog runs, when the schedule ticks at 0."""

    @property
    def ends_at(self) -> int:
        return self.starts_at + self.seconds


# The seconds without a valid token that one outage comes to.
type Cost = dict[Clockwork, int]


def random_outages(per_length: int) -> Iterator[Outage]:
    """Yield outages of 1, 2, ... 60 minutes, `per_length` of each, the same ones in every run.

    They start at any second between two ticks of the schedule: a random one in each of `per_length` equal parts of that
    time, which gives steadier means than chance alone.
    """
    chance = random.Random(SEED)
    for minutes in range(1, LONGEST_MINUTES + 1):
        for part in range(per_length):
            starts_at = 1 + int((part + chance.random()) * SCHEDULE_SECONDS / per_length)
            yield Outage(starts_at, 60 * minutes, chance.randrange(WATCHDOG_SECONDS))


def costs(per_length: int) -> list[list[Cost]]:
    """Return what random outages cost, those of 1 minute first."""
    found = [
        {clockwork: seconds_without_token(one, clockwork) for clockwork in Clockwork}
        for one in random_outages(per_length)
    ]
    return [found[start : start + per_length] for start in range(0, len(found), per_length)]


def mean_minutes(some: Iterable[Cost], clockwork: Clockwork) -> float:
    """Return how many minutes the outages leave consumers without a valid token, on average."""
    return statistics.fmean(cost[clockwork] / 60 for cost in some)


def seconds_without_token(outage: Outage, clockwork: Clockwork) -> int:
    """Return for how many seconds the first token is expired before it is replaced."""
    system = System()
    system.clock.now = EPOCH
    system.rotate(Trigger.SCHEDULE)
    first, attempts = system.published, iter(_attempts(outage, clockwork))
    while system.published == first:
        at, trigger = next(attempts)
        system.clock.now = EPOCH + at
        system.endpoint.answers = [_down()] if outage.starts_at <= at < outage.ends_at else []
        with suppress(TokenUnavailable):
            system.rotate(trigger)
    return max(0, EPOCH + at - first.expires_at)


def _attempts(outage: Outage, clockwork: Clockwork) -> list[tuple[int, Trigger]]:
    """Return when `rotate` is invoked, and why, until the schedule's first tick after the outage."""
    end = SCHEDULE_SECONDS + outage.ends_at
    ticks = range(SCHEDULE_SECONDS, end + 1, SCHEDULE_SECONDS)
    # One of them replaces the token, so those after a tick that succeeds do not matter.
    tries = LAMBDA_RETRIES_SECONDS if clockwork is Clockwork.LAMBDA_RETRIES else (0,)
    attempts = [(tick + later, Trigger.SCHEDULE) for tick in ticks for later in tries]
    if clockwork is not Clockwork.LAMBDA_RETRIES:
        attempts += [(at, Trigger.WATCHDOG) for at in range(outage.watchdog_at, end + 1, WATCHDOG_SECONDS)]
    if clockwork is Clockwork.ORACLE:
        attempts.append((outage.ends_at, Trigger.MANUAL))
    return sorted(attempts)


def _down() -> TokenUnavailable:
    return TokenUnavailable("https://api.example", CREDENTIALS, "answered 503", "Wait.", status=503)
