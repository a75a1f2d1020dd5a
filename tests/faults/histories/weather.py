"""Troubles that last until they are repaired, and the rule that all is well soon after that."""

from __future__ import annotations

from dataclasses import dataclass

from faults.histories.acts import ChangeCredentials
from faults.histories.consumer import SUCCEEDED
from faults.histories.incidents import Act, Named
from faults.histories.ledger import SCHEDULE_SECONDS
from faults.histories.talend import LIFE_SECONDS
from faults.histories.world import WATCHDOG_SECONDS, World
from faults.invariants import VERSIONS_A_DAY, InvariantBroken
from rotator.domain.policy import TokenState

# Enough for a lock or a circuit breaker that nobody released, a tick of the watchdog, and a token that is too young.
_HEALED_AFTER_SECONDS = 240
_SHORT_LIFE_SECONDS = 600


class Weather(Named):
    """Something that stays wrong until it is repaired."""

    ENDPOINT_DOWN = "the token endpoint is down"
    ENDPOINT_SLOW = "the token endpoint is slow"
    ENDPOINT_INVALID = "the token endpoint's answers are not valid"
    SAME = "the token endpoint returns the last token again"
    SHORT = "tokens are valid for ten minutes"
    REVOKES = "each new token revokes the others"
    READS_FAIL = "secrets cannot be read"
    STAGING_FAILS = "no version can be stored"
    PROMOTION_FAILS = "labels cannot be moved"
    LISTING_FAILS = "versions cannot be listed"
    NO_LOCK = "the lock table is gone"
    CONSUMERS_BLIND = "consumers cannot read the secret"
    RENEW_THROTTLED = "consumers cannot invoke renew"
    STALE = "reads are stale for seconds"


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


@dataclass(frozen=True)
class Turn(Act):
    """The weather changes."""

    weather: Weather
    bad: bool = True

    def play(self, world: World) -> None:
        outside, talend = world.outside, world.talend
        if self.weather in _FAILURES:
            call, error = _FAILURES[self.weather]
            if self.bad:
                outside.failing[call] = error
            elif outside.failing.get(call) == error:
                del outside.failing[call]
        match self.weather:
            case Weather.ENDPOINT_SLOW:
                (outside.slow.add if self.bad else outside.slow.discard)("token")
            case Weather.SAME:
                talend.same_again = self.bad
            case Weather.SHORT:
                talend.life_seconds = _SHORT_LIFE_SECONDS if self.bad else LIFE_SECONDS
            case Weather.REVOKES:
                talend.revokes_on_issue = self.bad
            case Weather.STALE:
                outside.stale = self.bad
            case Weather.NO_LOCK:
                world.ledger.forgets_refusals()


@dataclass(frozen=True)
class Heal(Act):
    """All that was wrong is repaired. Soon a FRESH token is published, and every consumer has it."""

    def play(self, world: World) -> None:
        for weather in Weather:
            Turn(weather, bad=False).play(world)
        if not world.credentials_are_good():
            ChangeCredentials().change(world)
        world.wait(_HEALED_AFTER_SECONDS)
        # To the watchdog's next tick.
        world.wait(world.next_watchdog - world.now())
        world.observe()
        world.journal.check()
        if (world.short_lives() or world.ledger.unlocked) and len(world.sight().created) >= VERSIONS_A_DAY:
            return
        if world.state() is not TokenState.FRESH:
            raise InvariantBroken(f"all is repaired, and the published token is {world.state().name}")
        for consumer in world.consumers:
            nobody_knew = not world.talend.works(world.published_token())
            end = consumer.call({})
            if end == "rejected twice" and nobody_knew:
                # Its own token was revoked, and the published one too, which its next request reports.
                end = consumer.call({})
            rolled_back = world.system.published_version in consumer.rejected
            if end == "not renewed: budget_exhausted" or (end == "not renewed: in_progress" and rolled_back):
                # Consumers have spent the day's versions, or an operator has rolled back to one that was rejected
                # before. The schedule continues.
                world.wait(SCHEDULE_SECONDS + WATCHDOG_SECONDS)
                end = consumer.call({})
            if end not in SUCCEEDED:
                raise InvariantBroken(f"all is repaired, and the call of consumer {consumer.number} ended: {end}")
