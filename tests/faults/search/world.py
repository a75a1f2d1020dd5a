"""The world of the random histories, in the state in which a scenario begins."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

from doubles.system import CREDENTIALS, TOKEN
from faults.histories.incidents import Fail
from faults.histories.ledger import SCHEDULE_SECONDS
from faults.histories.outside import Died, Frame, killed
from faults.histories.ports import STALE_SECONDS
from faults.histories.world import World
from faults.invariants import InvariantBroken
from faults.journal import Journal
from faults.search.scenarios import Scenario
from rotator.domain.errors import RotatorError
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import TokenState
from rotator.domain.result import Result
from rotator.domain.version_budget import renewals_left

_AGE_SECONDS = {"STALE": 1500, "FRESH": 600, "EXPIRED": 1860, "replaced": 600}
# How long ago an interrupted run staged its token.
_STAGED_SECONDS = {"left": 62, "old": 1400, "expired": 200}
_SHORT_LIFE_SECONDS = 120
# Tokens and versions have different times, because these define the order in which they were created.
_CALL_SECONDS = {"token": 1.0, "stage": 0.25}
# More than the functions' timeout, after which a lock that its holder has not released and an open circuit expire.
_LATER_SECONDS = 61
# Log lines of the same second keep their order.
_STEP_SECONDS = 0.01


class SearchedWorld(World):
    """A world in which nothing happens by itself.

    `point` is called before each outside call and each pause of a run. It returns whether another run could have
    continued.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.point: Callable[[str], bool] = lambda _: False
        self.steps = 0
        super().__init__(consumers=len(scenario.actors) if "consumer" in scenario.actors else 0, probe=True)
        self.journal = Journal(lambda: self.system.clock.now + self.steps * _STEP_SECONDS)
        self.next_watchdog = self.next_schedule = math.inf
        self.scenario = scenario
        self.tokens_before: set[str] | None = None
        """The access tokens that were issued before the credentials changed."""
        self._lock_acquire = self.system.lock.acquire
        self.rejected = "v1"

    def begin(self) -> None:
        """Bring about the state in which the runs begin.

        Raises:
            InvariantBroken: that already breaks a rule.
        """
        self._publish()
        self._break()
        if self.scenario.is_rejected:
            self.talend.revoked.add(self.token(self.rejected))

    def wait(self, seconds: float) -> None:
        """Sleep until the run is chosen again. Time passes if all other runs have ended or sleep."""
        if not self.point("sleep"):
            self.system.clock.now += seconds

    # --- before the runs ---

    def _publish(self) -> None:
        scenario = self.scenario
        if scenario.published == "absent":
            return
        self.rotate(Trigger.MANUAL)
        if scenario.published == "replaced":
            self._pass(_AGE_SECONDS["FRESH"])
            self.rotate(Trigger.MANUAL)
        age = _AGE_SECONDS[scenario.published]
        if scenario.staged == "rolled-back":
            self._pass(age - 2 * _LATER_SECONDS)
            self.rotate(Trigger.MANUAL)
            self.known_rejected.add(self.published_token())
            self.talend.revoked.add(self.published_token())
            self._pass(_LATER_SECONDS)
            with self.by_hand():
                self.system.secrets.promote(TOKEN, "v1", "v2")
            self._pass(_LATER_SECONDS)
        elif scenario.staged == "none":
            self._pass(age)
        else:
            self._pass(age - _STAGED_SECONDS[scenario.staged])
            self._stage()
            self._pass(_STAGED_SECONDS[scenario.staged])
        if scenario.versions == "spent":
            created = self.system.secrets._secrets[TOKEN].created
            while left := renewals_left([moment for _, moment in created], self.now(), SCHEDULE_SECONDS):
                created += [("earlier", self.now() - 3600)] * left
            self.observe()

    def _stage(self) -> None:
        """A run is killed before it promotes what it has staged."""

        def kill(name: str) -> None:
            if name == "promote":
                raise killed(self.outside.frame)

        life = self.talend.life_seconds
        self.talend.life_seconds = _SHORT_LIFE_SECONDS if self.scenario.staged == "expired" else life
        self.outside.at_call = kill
        self.rotate(Trigger.MANUAL)
        self.outside.at_call = lambda _: None
        self.talend.life_seconds = life

    def _pass(self, seconds: float) -> None:
        self.system.clock.now += seconds

    def _break(self) -> None:
        """Begin what is wrong in the scenario."""
        scenario = self.scenario
        self.outside.stale = scenario.reads == "stale"
        # If reads are not stale, a reader sees a new version at once.
        self.journal.stale_seconds = self.journal.stale_seconds if self.outside.stale else 0
        self.talend.same_again = scenario.endpoint == "repeats"
        self.talend.issues_unusable = scenario.endpoint == "unusable"
        if scenario.endpoint == "refuses":
            self.talend.accounts.clear()
        if scenario.endpoint == "refuses-current":
            self.system.secrets.put(CREDENTIALS, "refused:s3cret", "credentials-2")
        if scenario.lock == "down":
            self.outside.failing["lock"] = 0
        if scenario.lock == "outlived":
            self.system.lock.acquire = self._acquire_for_a_moment  # type: ignore[method-assign]
        # A lock that expires before its holder has ended lets in another run.
        self.ledger.once = frozenset(Trigger if scenario.lock != "outlived" else ())

    def _acquire_for_a_moment(self, invocation: Invocation, version_id: str) -> Result | None:
        result = self._lock_acquire(invocation, version_id)
        self.system.lock._until.clear()
        return result

    # --- the runs ---

    def before_call(self, name: str) -> None:
        """Pause the run before each of its outside calls."""
        self.point(name)
        if name == "lock" and self.scenario.lock == "late":
            self.outside.frame.plan = {len(self.outside.frame.calls): Fail(lost=True)}
        self._pass(_CALL_SECONDS.get(name, 0))

    def act(self, number: int) -> None:
        """Run one of the actors, in a thread of its own."""
        actor = self.scenario.actors[number]
        if actor == "consumer":
            self.consumers[number].call({})
        elif actor == "rejected":
            with suppress(RotatorError, Died), self.outside.at_work(Frame({})):
                self.renew(self.rejected)
        elif actor == "changed":
            with suppress(Died):
                self._change_credentials(number)
        else:
            self.rotate(Trigger(actor))

    def _change_credentials(self, number: int) -> None:
        client_id = f"other-{number}"
        self.talend.accounts |= {client_id} if self.scenario.endpoint != "refuses" else set()
        with self.store.changing(CREDENTIALS):
            self.system.secrets.put(CREDENTIALS, f"{client_id}:s3cret", f"credentials-of-{number}")
        changed_at = self.now()
        self.tokens_before = set(self.talend._ends)
        self.point("event")
        self.credentials_changed(changed_at)

    # --- after the runs ---

    def recover(self, *, killed: bool) -> None:
        """Repair all that was wrong, and check that the watchdog publishes a FRESH token."""
        scenario = self.scenario
        if not killed and scenario.lock == "up" and scenario.endpoint == "answers":
            self._check_changed()
        self.outside.stale = self.talend.same_again = self.talend.issues_unusable = False
        self.outside.failing.clear()
        self.system.lock.acquire = self._lock_acquire  # type: ignore[method-assign]
        if scenario.endpoint in ("refuses", "refuses-current"):
            # An operator stores good credentials, which are tried at once.
            self.talend.accounts.add("good")
            self.system.secrets.put(CREDENTIALS, "good:s3cret", "credentials-that-are-good")
        if killed or scenario.lock in ("late", "outlived") or scenario.endpoint in ("repeats", "unusable"):
            self._pass(_LATER_SECONDS)
        elif scenario.reads == "stale":
            self._pass(STALE_SECONDS)
        self.rotate(Trigger.WATCHDOG)
        self.observe()
        if self.state() is not TokenState.FRESH:
            raise InvariantBroken("all is repaired, and the watchdog has not published a FRESH token")
        self.journal.check()

    def _check_changed(self) -> None:
        if self.tokens_before and self.published_token() in self.tokens_before:
            raise InvariantBroken("the credentials have changed, and the published token was issued before")
