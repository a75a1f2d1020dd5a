"""The acts of a history: what operators, consumers, machines and Talend do to the world, one after the other.

All are plain values, so that a history is a list of acts, and a history that has broken a rule is kept as one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from doubles.system import CREDENTIALS, TOKEN
from faults.histories.incidents import Act, Named, Plan
from faults.histories.talend import LIFE_SECONDS
from faults.histories.world import World
from faults.invariants import VERSIONS_A_DAY
from rotator.domain.invocation import Trigger
from talend_token.document import TokenDocument


def play(world: World, history: Iterable[Act]) -> None:
    """Play acts one after the other, and check after each one what must hold.

    Raises:
        InvariantBroken: a rule does not hold.
    """
    for act in history:
        act.play(world)
        world.observe()
        world.check_quota()


# --- the functions ---


@dataclass(frozen=True)
class Rotate(Act):
    """`rotate` is invoked by an operator, or by the watchdog besides the times at which it is due."""

    trigger: Trigger = Trigger.MANUAL
    plan: Plan = field(default_factory=dict)
    dry_run: bool = False

    def play(self, world: World) -> None:
        is_free = self.trigger is Trigger.WATCHDOG or self.dry_run
        if is_free or world.ledger.operator_acts(world.now()):
            world.rotate(self.trigger, self.plan, dry_run=self.dry_run)


# --- consumers ---


@dataclass(frozen=True)
class Call(Act):
    """A consumer calls the API, and repeats the call once if the answer is 401."""

    consumer: int = 0
    plan: Plan = field(default_factory=dict)

    def play(self, world: World) -> None:
        world.consumers[self.consumer].call(self.plan)


@dataclass(frozen=True)
class ClockJump(Act):
    """The wall clock of a consumer's machine is set to another time."""

    consumer: int = 0
    seconds: int = 0

    def play(self, world: World) -> None:
        world.consumers[self.consumer].wall_ahead += self.seconds


@dataclass(frozen=True)
class Nap(Act):
    """A consumer's machine sleeps while the world goes on. Its monotonic clock does not count that time."""

    consumer: int = 0
    seconds: int = 600

    def play(self, world: World) -> None:
        world.consumers[self.consumer].napped += self.seconds
        world.wait(self.seconds)


# --- operators ---


@dataclass(frozen=True)
class Revoke(Act):
    """The published token is revoked."""

    def play(self, world: World) -> None:
        world.talend.revoked.add(world.published_token())


@dataclass(frozen=True)
class RollBack(Act):
    """An operator moves AWSCURRENT back to AWSPREVIOUS."""

    def play(self, world: World) -> None:
        secrets = world.system.secrets
        previous = secrets.label(TOKEN, "AWSPREVIOUS")
        if previous and world.ledger.operator_acts(world.now()):
            with world.by_hand():
                secrets.promote(TOKEN, previous, secrets.label(TOKEN, "AWSCURRENT"))


class ByHand(Named):
    """A value that an operator stores in the token secret."""

    TOKEN = "a token that works"
    EXPIRED = "an expired token"
    GARBAGE = "no token document"


@dataclass(frozen=True)
class PutByHand(Act):
    """An operator stores a value in the token secret."""

    what: ByHand = ByHand.TOKEN

    def play(self, world: World) -> None:
        if len(world.sight().created) >= VERSIONS_A_DAY or not world.ledger.operator_acts(world.now()):
            return
        now = math.floor(world.now())
        begin = now - LIFE_SECONDS if self.what is ByHand.EXPIRED else now
        document = TokenDocument(
            world.talend.new(LIFE_SECONDS), "Bearer", begin, begin + LIFE_SECONDS, "https://api.eu.cloud.talend.com"
        )
        text = "no document" if self.what is ByHand.GARBAGE else document.to_json().reveal()
        with world.by_hand():
            world.system.secrets.put(TOKEN, text, f"hand-{world.count()}")


class Pair(Named):
    """A value that an operator stores as credentials."""

    GOOD = "credentials of an account that exists"
    BAD = "credentials that are refused"
    MALFORMED = "no credentials"


@dataclass(frozen=True)
class ChangeCredentials(Act):
    """An operator stores other credentials, and EventBridge invokes `rotate`, unless the event is lost."""

    pair: Pair = Pair.GOOD
    announced: bool = True
    plan: Plan = field(default_factory=dict)

    def play(self, world: World) -> None:
        if world.ledger.operator_acts(world.now()):
            self.change(world)

    def change(self, world: World) -> None:
        """Do it, although operators may have done enough today."""
        number = world.count()
        client_id = f"{self.pair.name.lower()}-{number}"
        if self.pair is Pair.GOOD:
            world.talend.accounts.add(client_id)
        text = "malformed" if self.pair is Pair.MALFORMED else f"{client_id}:s3cret"
        with world.store.changing(CREDENTIALS):
            world.system.secrets.put(CREDENTIALS, text, f"credentials-{number + 1}")
        if self.announced:
            world.credentials_changed(world.now(), self.plan)


# --- the world ---


@dataclass(frozen=True)
class FunctionClockJump(Act):
    """The clock of the functions' machine is corrected by a little."""

    seconds: int = 0

    def play(self, world: World) -> None:
        # Times before and after it cannot be compared.
        world.journal.check()
        jump = max(-2.0, min(2.0, world.ahead + self.seconds)) - world.ahead
        world.ahead += jump
        world.system.clock.now += jump


@dataclass(frozen=True)
class Pass(Act):
    """Time passes. Meanwhile consumers call, and the published token is revoked, each every so often unless it is 0."""

    seconds: int = 60
    calls_every: int = 0
    revoked_every: int = 0

    def play(self, world: World) -> None:
        until = world.now() + self.seconds
        due = {revoke: world.now() for revoke in (True, False) if (self.revoked_every if revoke else self.calls_every)}
        while world.now() < until:
            for revoke in [revoke for revoke, moment in due.items() if world.now() >= moment]:
                if revoke:
                    Revoke().play(world)
                else:
                    for consumer in world.consumers:
                        consumer.call({})
                due[revoke] += self.revoked_every if revoke else self.calls_every
            world.wait(max(1.0, min([until, *due.values()]) - world.now()))
