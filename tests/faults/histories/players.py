"""Plays acts in the world: what people, machines and the weather do to it."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import singledispatchmethod

from doubles.system import CREDENTIALS, TOKEN
from faults.histories.acts import (
    Act,
    ByHand,
    Call,
    ChangeCredentials,
    ClockJump,
    DeleteAccounts,
    DryRun,
    Force,
    FunctionClockJump,
    Heal,
    LateRenewal,
    Nap,
    Pair,
    Pass,
    PutByHand,
    Restart,
    Revoke,
    RollBack,
    Tick,
    Turn,
    Weather,
)
from faults.histories.consumer import SUCCEEDED
from faults.histories.ledger import FORCED_A_DAY, SCHEDULE_SECONDS
from faults.histories.outside import Died, Frame
from faults.histories.talend import LIFE_SECONDS
from faults.histories.world import WATCHDOG_SECONDS, World
from faults.invariants import DAY_SECONDS, VERSIONS_A_DAY, InvariantBroken
from rotator.domain.errors import RotatorError
from rotator.domain.invocation import Trigger
from rotator.domain.policy import TokenState, state_of
from talend_token import InvalidTokenDocument
from talend_token.document import TokenDocument

# A tick this soon after one of the schedule's own is that tick delivered twice.
_SAME_TICK_SECONDS = 55
# A lock or a breaker that is left shut, one watchdog tick, and a token that is too young to be replaced.
_HEALED_AFTER_SECONDS = 240
_SHORT_LIFE_SECONDS = 600
_FAILURES = {
    Weather.ENDPOINT_DOWN: ("token", 0),
    Weather.ENDPOINT_INVALID: ("token", 1),
    Weather.READS_FAIL: ("read", 0),
    Weather.STAGING_FAILS: ("stage", 0),
    Weather.PROMOTION_FAILS: ("promote", 0),
    Weather.LISTING_FAILS: ("created", 0),
    Weather.NO_LOCK: ("lock", 0),
    Weather.CONSUMERS_BLIND: ("get", 0),
    Weather.RENEW_THROTTLED: ("invoke", 0),
}


class Players:
    """Everybody who does something to a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._numbers = 0
        world.perform = self.play

    def do(self, act: Act) -> None:
        """Play an act, and look at what has become of the world."""
        self.play(act)
        self.world.observe()
        self._within_the_quota()

    @singledispatchmethod
    def play(self, act: Act) -> None:
        """Play an act; it may be within another."""
        raise TypeError(type(act))

    # --- the functions ---

    @play.register
    def _(self, act: Tick) -> None:
        world = self.world
        extra = act.trigger is Trigger.SCHEDULE and world.now() - world.last_tick > _SAME_TICK_SECONDS
        if not extra or self._person():
            world.rotate(act.trigger, act.plan)

    @play.register
    def _(self, act: Force) -> None:
        if self._person():
            self.world.rotate(Trigger.MANUAL, act.plan)

    @play.register
    def _(self, act: DryRun) -> None:
        self.world.rotate(Trigger.MANUAL, act.plan, dry_run=True)

    # --- consumers ---

    @play.register
    def _(self, act: Call) -> None:
        self.world.consumers[act.consumer].call(act.plan)

    @play.register
    def _(self, act: LateRenewal) -> None:
        before = self.world.system.secrets.label(TOKEN, "AWSPREVIOUS")
        if before:
            with suppress(RotatorError, Died), self.world.outside.at_work(Frame(act.plan)):
                self.world.renew(before)

    @play.register
    def _(self, act: Restart) -> None:
        self.world.consumers[act.consumer].restart()

    @play.register
    def _(self, act: ClockJump) -> None:
        self.world.consumers[act.consumer].wall_ahead += act.seconds

    @play.register
    def _(self, act: Nap) -> None:
        self.world.consumers[act.consumer].napped += act.seconds
        self.world.wait(act.seconds)

    # --- people ---

    @play.register
    def _(self, act: Revoke) -> None:  # noqa: ARG002
        self.world.talend.revoke(self.world.published_token())

    @play.register
    def _(self, act: RollBack) -> None:  # noqa: ARG002
        secrets = self.world.system.secrets
        previous = secrets.label(TOKEN, "AWSPREVIOUS")
        if previous and self._person():
            with self.world.by_hand():
                secrets.promote(TOKEN, previous, secrets.label(TOKEN, "AWSCURRENT"))

    @play.register
    def _(self, act: PutByHand) -> None:
        world = self.world
        if len(world.sight().created) >= VERSIONS_A_DAY or not self._person():
            return
        now = math.floor(world.now())
        begin = now - LIFE_SECONDS if act.what is ByHand.EXPIRED else now
        token = world.talend.new(LIFE_SECONDS, LIFE_SECONDS)
        document = TokenDocument(token, "Bearer", begin, begin + LIFE_SECONDS, "https://api.eu.cloud.talend.com")
        text = "no document" if act.what is ByHand.GARBAGE else document.to_json().reveal()
        with world.by_hand():
            world.system.secrets.put(TOKEN, text, f"hand-{self._number()}")

    @play.register
    def _(self, act: ChangeCredentials) -> None:
        if self._person():
            self._change_credentials(act)

    def _change_credentials(self, act: ChangeCredentials) -> None:
        world, number = self.world, self._number()
        client_id = f"{act.pair.name.lower()}-{number}"
        if act.pair is Pair.GOOD:
            world.talend.accounts.add(client_id)
        text = "malformed" if act.pair is Pair.MALFORMED else f"{client_id}:s3cret"
        with world.store.changing(CREDENTIALS):
            world.system.secrets.put(CREDENTIALS, text, f"credentials-{number + 1}")
        if act.told:
            # Events carry whole seconds.
            changed_at = float(math.floor(world.now()))
            world.rotate(Trigger.MANUAL, act.plan, issued_after=changed_at)

    @play.register
    def _(self, act: DeleteAccounts) -> None:  # noqa: ARG002
        self.world.talend.accounts.clear()

    # --- the world ---

    @play.register
    def _(self, act: FunctionClockJump) -> None:
        # Times before and after it cannot be compared.
        self.world.journal.check()
        jump = max(-2.0, min(2.0, self.world.ahead + act.seconds)) - self.world.ahead
        self.world.ahead += jump
        self.world.system.clock.now += jump

    @play.register
    def _(self, act: Turn) -> None:
        outside, talend = self.world.outside, self.world.talend
        if act.weather in _FAILURES:
            call, error = _FAILURES[act.weather]
            if act.bad:
                outside.failing[call] = error
            elif outside.failing.get(call) == error:
                del outside.failing[call]
        match act.weather:
            case Weather.ENDPOINT_SLOW:
                (outside.slow.add if act.bad else outside.slow.discard)("token")
            case Weather.SAME:
                talend.same_again = act.bad
            case Weather.SHORT:
                talend.life_seconds = _SHORT_LIFE_SECONDS if act.bad else LIFE_SECONDS
            case Weather.REVOKES:
                talend.revokes_on_issue = act.bad
            case Weather.STALE:
                outside.stale = act.bad
            case Weather.NO_LOCK:
                self.world.ledger.forgets_refusals()

    @play.register
    def _(self, act: Pass) -> None:
        world = self.world
        until = world.now() + act.seconds
        calls = revocations = world.now()
        while world.now() < until:
            if act.revoked_every and world.now() >= revocations:
                self.play(Revoke())
                revocations += act.revoked_every
            if act.calls_every and world.now() >= calls:
                for consumer in world.consumers:
                    consumer.call({})
                calls += act.calls_every
            due = [until]
            due += [revocations] if act.revoked_every else []
            due += [calls] if act.calls_every else []
            world.wait(max(1.0, min(due) - world.now()))

    @play.register
    def _(self, act: Heal) -> None:  # noqa: ARG002
        world = self.world
        if world.outside.frames:
            return
        for weather in Weather:
            self.play(Turn(weather, bad=False))
        if not self._credentials_are_good():
            self._change_credentials(ChangeCredentials(Pair.GOOD))
        world.wait(_HEALED_AFTER_SECONDS)
        # To the watchdog's next tick.
        world.wait(world.next_watchdog - world.now())
        world.observe()
        world.journal.check()
        if (self._short_lives() or world.ledger.unlocked) and len(world.sight().created) >= VERSIONS_A_DAY:
            return
        if self._state() is not TokenState.FRESH:
            raise InvariantBroken(f"all is mended, and what is published is {self._state().name}")
        for consumer in world.consumers:
            nobody_knew = not world.talend.works(world.published_token())
            end = consumer.call({})
            if end == "rejected twice" and nobody_knew:
                # Its own token was revoked, and the published one too: its next request tells of that.
                end = consumer.call({})
            rolled_back = world.system.published_version in consumer.rejected
            if end == "not renewed: budget_exhausted" or (end == "not renewed: in_progress" and rolled_back):
                # Consumers have spent the day's versions, or an operator has rolled back to one that was rejected
                # before: the schedule goes on.
                world.wait(SCHEDULE_SECONDS + WATCHDOG_SECONDS)
                end = consumer.call({})
            if end not in SUCCEEDED:
                raise InvariantBroken(f"all is mended, and consumer {consumer.number} gets: {end}")

    # --- what is so ---

    def _state(self) -> TokenState:
        text = self.world.sight().text
        try:
            return state_of(TokenDocument.from_json(text) if text else None, self.world.system.clock())
        except InvalidTokenDocument:
            return TokenState.INVALID

    def _credentials_are_good(self) -> bool:
        """Whether one of the two pairs that are tried is accepted."""
        secrets, accounts = self.world.system.secrets, self.world.talend.accounts
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            version = secrets.read(CREDENTIALS, stage)
            if version and version.text and version.text.reveal().split(":")[0] in accounts:
                return True
        return False

    def _short_lives(self) -> bool:
        """Whether short lives have cost versions today."""
        return self.world.talend.last_short_at > self.world.now() - DAY_SECONDS

    def _within_the_quota(self) -> None:
        met, ledger = self.world.store.limit_met, self.world.ledger
        ledger.forget(self.world.now())
        if met and not self._short_lives() and len(ledger.people) + len(ledger.unlocked) <= FORCED_A_DAY:
            raise InvariantBroken(f"the quota of versions was met, for {met[-1]}")
        met.clear()

    def _person(self) -> bool:
        return self.world.ledger.person(self.world.now())

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
