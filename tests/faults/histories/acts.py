"""What can happen in the state machine's world: acts, and the incidents at outside calls while an act is under way.

All are plain values, so that a history is a list of acts and a failure that was found is kept as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rotator.domain.invocation import Trigger

# --- at one outside call ---


@dataclass(frozen=True)
class Fail:
    """The call fails with one of its port's errors. `lost`: its work was done all the same."""

    error: int = 0
    lost: bool = False


@dataclass(frozen=True)
class Die:
    """The process is gone, before or after the call."""

    after: bool = False


@dataclass(frozen=True)
class Slow:
    """The call takes that long, and whatever is due meanwhile happens."""

    seconds: int = 20


@dataclass(frozen=True)
class Stale:
    """A read shows what was there before the last change, if that was a moment ago."""


class _Named(StrEnum):
    """Its members print as they are written in code, so that hypothesis' histories can be kept as they are."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class Oddity(_Named):
    """What the authorization server may do to a token that it issues."""

    SAME = "the last token again"
    SHORT = "a life of two minutes"
    TINY = "a life below the minimum"
    LIE = "a life that ends before it is said to"


@dataclass(frozen=True)
class Odd:
    """The next token call is answered oddly."""

    oddity: Oddity


@dataclass(frozen=True)
class Meanwhile:
    """Something else happens just before the call."""

    act: Act


type Incident = Fail | Die | Slow | Stale | Odd | Meanwhile
type Plan = Mapping[int, Incident]
"""What happens at which of an act's outside calls, counted from 0."""

# --- acts ---


@dataclass(frozen=True)
class Tick:
    """`rotate` is invoked by its schedule or its watchdog, besides the times at which they do it by themselves."""

    trigger: Trigger = Trigger.WATCHDOG
    plan: Plan = field(default_factory=dict)


@dataclass(frozen=True)
class Force:
    """A person forces a rotation."""

    plan: Plan = field(default_factory=dict)


@dataclass(frozen=True)
class DryRun:
    """A person has everything checked."""

    plan: Plan = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A consumer calls the API, and repeats the call once if it is answered 401."""

    consumer: int = 0
    plan: Plan = field(default_factory=dict)


@dataclass(frozen=True)
class LateRenewal:
    """`renew` is invoked for the version that was published before this one."""

    plan: Plan = field(default_factory=dict)


@dataclass(frozen=True)
class Revoke:
    """The published token ceases to work."""


@dataclass(frozen=True)
class RollBack:
    """A person moves AWSCURRENT back to AWSPREVIOUS."""


class ByHand(_Named):
    """What a person may put into the token secret."""

    TOKEN = "a token that works"
    EXPIRED = "an expired token"
    GARBAGE = "no token document"


@dataclass(frozen=True)
class PutByHand:
    """A person puts a value into the token secret."""

    what: ByHand = ByHand.TOKEN


class Pair(_Named):
    """What a person may store as credentials."""

    GOOD = "a pair of an account that exists"
    BAD = "a pair that is refused"
    MALFORMED = "no pair"


@dataclass(frozen=True)
class ChangeCredentials:
    """A person stores other credentials, and `rotate` is told. `told` is False if the event gets lost."""

    pair: Pair = Pair.GOOD
    told: bool = True
    plan: Plan = field(default_factory=dict)


@dataclass(frozen=True)
class DeleteAccounts:
    """Every pair that is stored is refused from now on."""


@dataclass(frozen=True)
class Restart:
    """A consumer's process is started anew."""

    consumer: int = 0


@dataclass(frozen=True)
class ClockJump:
    """Somebody sets the wall clock of a consumer's machine."""

    consumer: int = 0
    seconds: int = 0


@dataclass(frozen=True)
class Nap:
    """A consumer's machine sleeps while the world goes on: its monotonic clock does not count that."""

    consumer: int = 0
    seconds: int = 600


@dataclass(frozen=True)
class FunctionClockJump:
    """The clock of the functions' machine is put right by a little."""

    seconds: int = 0


class Weather(_Named):
    """What stays wrong until it is mended."""

    ENDPOINT_DOWN = "the token endpoint is down"
    ENDPOINT_SLOW = "the token endpoint is slow"
    ENDPOINT_INVALID = "the token endpoint answers nonsense"
    SAME = "the token endpoint hands out the last token again"
    SHORT = "tokens live for ten minutes"
    REVOKES = "each new token ends the others"
    READS_FAIL = "secrets cannot be read"
    STAGING_FAILS = "no version can be stored"
    PROMOTION_FAILS = "labels cannot be moved"
    LISTING_FAILS = "versions cannot be listed"
    NO_LOCK = "the lock table is gone"
    NO_BUS = "the event bus is down"
    CONSUMERS_BLIND = "consumers cannot read the secret"
    RENEW_THROTTLED = "consumers cannot invoke renew"
    STALE = "reads are stale for seconds"


@dataclass(frozen=True)
class Turn:
    """The weather changes."""

    weather: Weather
    bad: bool = True


@dataclass(frozen=True)
class Pass:
    """Time passes; the schedule and the watchdog tick. Meanwhile each consumer calls every so often, if asked to, and
    the published token is revoked every so often."""

    seconds: int = 60
    calls_every: int = 0
    revoked_every: int = 0


@dataclass(frozen=True)
class Heal:
    """All that was wrong is mended. Soon a good token is published, and every consumer has it."""


type Act = (
    Tick
    | Force
    | DryRun
    | Call
    | LateRenewal
    | Revoke
    | RollBack
    | PutByHand
    | ChangeCredentials
    | DeleteAccounts
    | Restart
    | ClockJump
    | Nap
    | FunctionClockJump
    | Turn
    | Pass
    | Heal
)
