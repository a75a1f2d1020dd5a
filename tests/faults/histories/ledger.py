"""What the system is held to over many invocations: token calls, refusals, versions."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from faults.histories.outside import Frame
from faults.invariants import DAY_SECONDS, InvariantBroken, Sight
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome

# What the design keeps for people.
FORCED_A_DAY = 10
# For how long credentials that were refused are left alone by consumers and the watchdog.
_LEFT_ALONE_SECONDS = 60
# A token that was issued this small a part of its life ago is not replaced by the schedule or for a consumer.
_YOUNG_FRACTION = 30
# The functions' clock is put right by so much.
CLOCK_SECONDS = 4
# Not among the answers of `renew`.
_NO_RENEWAL = (Outcome.FRESH, Outcome.UNCHANGED, Outcome.CHECKED)
_MAY_NOT_HAMMER = (Trigger.REJECTED, Trigger.WATCHDOG)


@dataclass
class Ledger:
    """Counts, and raises `InvariantBroken` if a count is too high."""

    people: deque[float] = field(default_factory=deque)
    """When somebody did what may cost a version."""
    unlocked: deque[float] = field(default_factory=deque)
    """When a run went on without the lock: it may have spent a version beside another run."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How invocations ended, by trigger."""
    _renewed: Counter[str] = field(default_factory=Counter)
    """Token calls for consumers, by the version that was to be replaced."""
    _excused: Counter[str] = field(default_factory=Counter)
    """Runs for consumers that failed after such a call."""
    _refused: dict[str, float] = field(default_factory=dict)
    """When each account's credentials were refused last."""

    def person(self, now: float) -> bool:
        """Whether a person does one more thing that may cost a version; noted, if so."""
        self.forget(now)
        if len(self.people) >= FORCED_A_DAY:
            return False
        self.people.append(now)
        return True

    def forget(self, now: float) -> None:
        """A day is over."""
        for moments in (self.people, self.unlocked):
            while moments and moments[0] <= now - DAY_SECONDS:
                moments.popleft()

    def ended(self, frame: Frame, outcome: str, now: float) -> None:
        """An invocation has ended."""
        if frame.unlocked and frame.token_calls:
            self.unlocked.append(now)
        self.outcomes[f"{frame.trigger}: {outcome}"] += 1
        version = frame.replaces
        if frame.trigger is not Trigger.REJECTED:
            return
        if outcome in _NO_RENEWAL:
            raise InvariantBroken(f"renew has answered {outcome}")
        if version is None or not frame.token_calls:
            return
        if frame.unlocked:
            raise InvariantBroken("renew has asked for a token without the lock")
        self._renewed[version] += frame.token_calls
        if self._renewed[version] > self._excused[version] + 1:
            raise InvariantBroken(f"version {version} was renewed with {self._renewed[version]} token calls")
        if outcome != Outcome.ROTATED:
            self._excused[version] += frame.token_calls

    def published(self, frame: Frame, before: Sight, after: Sight) -> None:
        """A run has put another version in the place of the one `before`."""
        if frame.replaces != (before.version_id or ""):
            raise InvariantBroken(f"version {before.version_id} was replaced in the place of {frame.replaces}")
        document, new = before.document, after.document
        if document is None or new is None:
            return
        if new.fingerprint == document.fingerprint:
            raise InvariantBroken(f"version {after.version_id} holds the token of version {before.version_id}")
        if new.issued_at + CLOCK_SECONDS < document.issued_at:
            raise InvariantBroken(f"version {after.version_id} is older than {before.version_id}")
        if document.expires_at <= after.at or frame.trigger not in (Trigger.SCHEDULE, Trigger.REJECTED):
            return
        if frame.rejected not in (None, before.version_id):
            raise InvariantBroken(f"version {before.version_id} was replaced because {frame.rejected} was rejected")
        age = after.at - document.issued_at
        if age < document.life_seconds / _YOUNG_FRACTION - CLOCK_SECONDS:
            raise InvariantBroken(f"version {before.version_id} was replaced {age:.0f} s after it was issued")

    def published_by_hand(self, version_id: str) -> None:
        """It may be replaced once more."""
        self._renewed.pop(version_id, None)
        self._excused.pop(version_id, None)

    def refused(self, frame: Frame, account: str, began: float, ended: float) -> None:
        """The token endpoint has refused an account's credentials."""
        if frame.trigger not in _MAY_NOT_HAMMER:
            return
        if began < self._refused.get(account, began - _LEFT_ALONE_SECONDS) + _LEFT_ALONE_SECONDS and (
            began >= self._refused[account]
        ):
            raise InvariantBroken(
                f"the credentials of {account} were tried {began - self._refused[account]:.0f} s after a refusal"
            )
        self._refused[account] = ended

    def granted(self, account: str) -> None:
        """The token endpoint has accepted an account's credentials."""
        self._refused.pop(account, None)

    def forgets_refusals(self) -> None:
        """The lock table was gone, or a process died before it could note a refusal there."""
        self._refused.clear()
