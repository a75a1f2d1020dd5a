"""The world of the histories: the whole core, Talend and consumers, in virtual time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from doubles.system import CREDENTIALS, TOKEN, System
from faults.histories.consumer import Consumer
from faults.histories.incidents import Plan
from faults.histories.ledger import CLOCK_SECONDS, FORCED_A_DAY, SCHEDULE_SECONDS, Ledger
from faults.histories.outside import DEEPEST, Died, Frame, Outside
from faults.histories.ports import Breaker, Endpoint, Lock, Probe, Store
from faults.histories.talend import Talend
from faults.invariants import DAY_SECONDS, InvariantBroken, Sight, Witness, document_in
from faults.journal import Journal
from log_specification import CREDENTIALS_CHANGED
from rotator.domain.errors import RotatorError
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import TokenState, state_of
from rotator.domain.result import Outcome, Result
from rotator.service.rotator import Rotator
from talend_token.document import TokenDocument

WATCHDOG_SECONDS = 60
ROTATE_SECONDS = 60
RENEW_SECONDS = 30


class World:
    """A world in which schedule and watchdog tick as time passes, and acts do all else.

    It raises `InvariantBroken` as soon as a rule does not hold. `watchdog_phase` is the second of the minute at which
    the watchdog ticks. The schedule ticks at the first. With `probe`, new tokens are probed before they are published.
    """

    def __init__(self, *, consumers: int = 3, watchdog_phase: int = 0, probe: bool = False) -> None:
        self.system = System(probe_path="/probe" if probe else "")
        self.start = self.system.clock.now = math.ceil(self.system.clock.now / 60) * 60.0
        self.ahead = 0.0
        """How far the functions' clock is ahead of the true time."""
        # AWS's clock dates the versions.
        self.system.secrets._clock = self.now
        self.outside = Outside(self.system.clock, lambda act: act.play(self), self.wait)
        self.talend = Talend(self.now, {"abc"})
        self.ledger = Ledger()
        self.store = Store(self.system.secrets, self.outside, self.ledger, self.observe)
        self.checked: set[str] = set()
        """The access tokens that the probe did not reject."""
        self.rotator = self._rotator()
        self.consumers = [
            Consumer(number, self.store, self.outside, self.talend, self.wait, self.renew)
            for number in range(consumers)
        ]
        self.count = itertools.count(1).__next__
        """Numbers what operators store."""
        self.known_rejected: set[str] = set()
        """The access tokens that the system knows to be rejected."""
        self.witness = Witness(
            refused=lambda token: token in self.known_rejected,
            checked=lambda token: not probe or token in self.checked,
            ends=self._end,
        )
        self.journal = Journal(self.system.clock)
        self.next_watchdog = self.start + watchdog_phase
        self.next_schedule = self.start
        self.observe()

    def _rotator(self) -> Rotator:
        """Return the system's rotator, every outside call of which goes through `outside`."""
        rotator, system = self.system.rotator, self.system
        lock, breaker = Lock(system.lock, self.outside), Breaker(system.breaker, self.outside, self.ledger, self.now)
        endpoint = Endpoint(self.talend, self.outside, self.ledger, self.published_token)
        probe = Probe(self.talend, self.outside, lambda token: self.known_rejected.add(token), self.checked)
        issuer = replace(
            rotator.publisher.issuer, secrets=self.store, token_endpoint=endpoint, breaker=breaker, probe=probe
        )
        publisher = replace(rotator.publisher, secrets=self.store, issuer=issuer, lock=lock)
        dry_run = replace(rotator.dry_run, secrets=self.store, issuer=issuer, lock=lock)
        return replace(rotator, secrets=self.store, publisher=publisher, dry_run=dry_run, sleep=self.wait)

    # --- time ---

    def now(self) -> float:
        """Return the true time, which is that of AWS and Talend."""
        return self.system.clock.now - self.ahead

    def wait(self, seconds: float) -> None:
        """Let time pass. Schedule and watchdog tick when they are due, or late if too many runs are slow."""
        until = self.now() + seconds
        while len(self.outside.frames) < DEEPEST and min(self.next_watchdog, self.next_schedule) <= until:
            due, trigger = min((self.next_schedule, Trigger.SCHEDULE), (self.next_watchdog, Trigger.WATCHDOG))
            self._go_on_to(due)
            if trigger is Trigger.SCHEDULE:
                self.next_schedule += SCHEDULE_SECONDS
            else:
                # A tick of the watchdog that is a minute late counts as the next one.
                self.next_watchdog += WATCHDOG_SECONDS * max(1, math.ceil((self.now() - due) / WATCHDOG_SECONDS))
            self.rotate(trigger)
        self._go_on_to(until)

    def _go_on_to(self, moment: float) -> None:
        self.system.clock.now += max(0.0, moment - self.now())

    # --- invocations ---

    def rotate(self, trigger: Trigger, plan: Plan | None = None, **event: Any) -> None:
        """Invoke `rotate`. It may fail or be killed, and the world continues."""
        invocation = Invocation(trigger, self.system.clock() + ROTATE_SECONDS, **event)
        frame = Frame(plan or {}, trigger, invocation.ends_at)
        with suppress(RotatorError, Died):
            self._invoke(frame, invocation, self.rotator.rotate)

    def credentials_changed(self, changed_at: float, plan: Plan | None = None) -> None:
        """Invoke `rotate` as EventBridge does after other credentials were stored. Its events have whole seconds."""
        self.rotate(Trigger.MANUAL, plan, issued_after=float(math.floor(changed_at)), reason=CREDENTIALS_CHANGED)

    def renew(self, version_id: str) -> Result:
        """Invoke `renew` for the consumer at work, and raise its errors."""
        if not self.talend.works(self.token(version_id)):
            self.known_rejected.add(self.token(version_id))
        ends_at = self.system.clock() + RENEW_SECONDS
        consumer = self.outside.frame
        done = len(consumer.calls)
        frame = Frame(
            {number - done: incident for number, incident in consumer.plan.items() if number >= done},
            Trigger.REJECTED,
            ends_at,
            version_id,
        )
        invocation = Invocation(Trigger.REJECTED, ends_at, rejected_version_id=version_id)
        try:
            return self._invoke(frame, invocation, self.rotator.renew)
        finally:
            # The plan numbers the calls of both.
            consumer.calls += frame.calls

    def _invoke(self, frame: Frame, invocation: Invocation, run: Callable[[Invocation], Result]) -> Result:
        ended = "died"
        with self.outside.at_work(frame), self.journal.run(run.__name__) as report:
            try:
                report.invocation = invocation
                report.result = result = run(invocation)
                ended = str(result.outcome)
                if result.outcome is Outcome.SUPERSEDED and result.version_id == (frame.replaces or None):
                    raise InvariantBroken(f"version {frame.replaces} has superseded itself, by its result")
            except RotatorError as error:
                ended = type(error).__name__
                raise
            except Died:
                self.ledger.forgets_refusals()
                raise
            finally:
                self.ledger.ended(frame, ended, self.now())
        return result

    # --- what can be seen ---

    def sight(self) -> Sight:
        """Return the token secret as it is now."""
        version = self.system.secrets.read(TOKEN, "AWSCURRENT")
        created = tuple(self.system.secrets.created(TOKEN))
        if version is None:
            return Sight(self.now(), None, None, created)
        return Sight(self.now(), version.version_id, version.text, created)

    def observe(self) -> None:
        """Let the witness look, and compare a publication with what its run set out to do."""
        frame = self.outside.frames[-1] if self.outside.frames else Frame({})
        before, sight = self.witness.last, self.sight()
        if before and sight.version_id != before.version_id and frame.trigger:
            self.ledger.published(frame, before, sight)
            self.journal.saw(sight)
            new = sight.document
            if new and new.expires_at > self.talend.end(new.access_token) + CLOCK_SECONDS:
                raise InvariantBroken(f"version {sight.version_id} is valid for longer than the server granted")
        self.witness.look(sight, wanted=frame.trigger in (Trigger.MANUAL, Trigger.REJECTED))

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """Change the token secret as an operator."""
        with self.store.changing(TOKEN):
            yield
        sight = self.sight()
        self.journal.changed_by_hand(self.system.secrets._secrets[TOKEN].versions.keys() - {sight.version_id})
        self.witness.by_hand(sight)
        self.ledger.published_by_hand(sight.version_id or "")
        for frame in self.outside.frames:
            if frame.replaces == sight.version_id:
                frame.token_calls = 0
        for consumer in self.consumers:
            consumer.rolled_back_to(sight.version_id)

    def document(self, version_id: str | None) -> TokenDocument | None:
        """Return the document that a version of the token secret holds, or None."""
        return document_in(self.system.secrets._secrets[TOKEN].versions.get(version_id or ""))

    def token(self, version_id: str | None) -> str:
        """Return the access token in a version of the token secret; empty if there is none."""
        document = self.document(version_id)
        return document.access_token if document else ""

    def published_token(self) -> str:
        """Return the published access token; empty if there is none."""
        return self.token(self.system.published_version)

    def state(self) -> TokenState:
        """Return the state of the published token."""
        return state_of(self.sight().document, self.system.clock())

    def credentials_are_good(self) -> bool:
        """Return True if the current or the previous credentials are accepted."""
        versions = [self.system.secrets.read(CREDENTIALS, stage) for stage in ("AWSCURRENT", "AWSPREVIOUS")]
        pairs = [version.text.reveal() for version in versions if version and version.text]
        return any(pair.split(":")[0] in self.talend.accounts for pair in pairs)

    def short_lives(self) -> bool:
        """Return True if tokens that were valid for a short time have cost versions today."""
        return self.talend.last_short_at > self.now() - DAY_SECONDS

    def check_quota(self) -> None:
        """Check that no version was refused for being too many, unless operators or short lives explain it."""
        met, ledger = self.store.limit_met, self.ledger
        ledger.forget(self.now())
        if met and not self.short_lives() and len(ledger.operators) + len(ledger.unlocked) <= FORCED_A_DAY:
            raise InvariantBroken(f"the quota of versions was met, for {met[-1]}")
        met.clear()

    def _end(self, token: str) -> float:
        # The functions' clock may be behind the server's by as much as it is corrected.
        return self.talend.end(token) + abs(self.ahead)
