"""How long an outage of the token endpoint leaves consumers without a valid token.

The functions' own code runs over in-memory machines, in virtual time: here is only what invokes `rotate`, and when. The
token endpoint fails each request at once while it is down, so nothing is gained by the attempts inside one invocation.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import Enum

from doubles.system import CREDENTIALS, System
from rotator.domain.errors import TokenUnavailable
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome

# A whole second, as the token document's times are.
EPOCH = 1_795_472_990
TALEND_LIFE_SECONDS = 1800
# The template's default, rate(25 minutes).
SCHEDULE_SECONDS = 1500
WATCHDOG_SECONDS = 60
# What Lambda waits before it repeats an asynchronous invocation that failed: a minute before the first time, two before
# the second [Lambda developer guide, error handling for asynchronous invocation].
LAMBDA_RETRY_SECONDS = (60, 120)

# When `rotate` is invoked, why, and after how many seconds each a failure of it is repeated.
type _Invocation = tuple[int, Trigger, tuple[int, ...]]


class Clockwork(Enum):
    """What invokes `rotate`, besides a schedule of 25 minutes."""

    LAMBDA_RETRIES = "Lambda's own two retries of a tick that failed"
    WATCHDOG = "the watchdog each minute, and no retries"
    ORACLE = "the watchdog, and somebody who forces a rotation the second that the token endpoint is back"


@dataclass(frozen=True)
class Outage:
    """The token endpoint is down from `starts_at` until just before `ends_at`, in seconds after a scheduled rotation.

    `starts_at` is 1 or more: the first token is published at 0.
    """

    starts_at: int
    seconds: int

    @property
    def ends_at(self) -> int:
        return self.starts_at + self.seconds

    def holds(self, at: float) -> bool:
        """True if the token endpoint is down at that second."""
        return self.starts_at <= at < self.ends_at


def seconds_without_token(
    outage: Outage | None, clockwork: Clockwork, *, life_seconds: int = TALEND_LIFE_SECONDS, watchdog_at: int = 0
) -> int:
    """For how many seconds the published token was expired, until the schedule has ticked once more after the outage.

    `life_seconds` is what the server grants. `watchdog_at` is the second of the minute at which the watchdog runs, from
    0 to 59, when the schedule ticks at 0. Without an outage two periods of the schedule are played.
    """
    system = System(expires_in=life_seconds)
    system.clock.now = EPOCH
    end = SCHEDULE_SECONDS + (outage.ends_at if outage else SCHEDULE_SECONDS)
    agenda = _agenda(outage, clockwork, end, watchdog_at)
    without = 0
    while agenda:
        at, trigger, retries = heapq.heappop(agenda)
        system.clock.now = EPOCH + at
        system.endpoint.answers = [_down()] if outage and outage.holds(at) else []
        expired_at = system.published.expires_at if at else system.clock.now
        try:
            if system.rotate(trigger).outcome is Outcome.ROTATED:
                without += max(0, EPOCH + at - expired_at)
        except TokenUnavailable:
            if retries:
                heapq.heappush(agenda, (at + retries[0], trigger, retries[1:]))
    return without + max(0, EPOCH + end - system.published.expires_at)


def _agenda(outage: Outage | None, clockwork: Clockwork, end: int, watchdog_at: int) -> list[_Invocation]:
    """All that will be invoked until `end`, as a heap."""
    retries = LAMBDA_RETRY_SECONDS if clockwork is Clockwork.LAMBDA_RETRIES else ()
    agenda: list[_Invocation] = [(at, Trigger.SCHEDULE, retries) for at in range(0, end + 1, SCHEDULE_SECONDS)]
    if clockwork is not Clockwork.LAMBDA_RETRIES:
        agenda += [(at, Trigger.WATCHDOG, ()) for at in range(watchdog_at, end + 1, WATCHDOG_SECONDS)]
    if clockwork is Clockwork.ORACLE and outage:
        agenda.append((outage.ends_at, Trigger.MANUAL, ()))
    heapq.heapify(agenda)
    return agenda


def _down() -> TokenUnavailable:
    return TokenUnavailable("https://api.example", CREDENTIALS, "answered 503", "Wait.", status=503)
