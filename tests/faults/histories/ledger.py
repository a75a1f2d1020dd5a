"""The rules that hold over many invocations: for token calls, refusals and versions."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field

from faults.histories.outside import Frame
from faults.invariants import DAY_SECONDS, InvariantBroken, Sight
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from rotator.domain.version_budget import renewals_left

# The budget reserves this many versions a day for operators.
FORCED_A_DAY = 10
# For how long neither consumers nor the watchdog try refused credentials again.
_LEFT_ALONE_SECONDS = 60
# A younger token is replaced neither by the schedule nor for a consumer.
_YOUNG_FRACTION = 30
# A run counts the versions at most this long before it writes one.
_COUNTED_AGAIN_SECONDS = 60
SCHEDULE_SECONDS = 1500
# The functions' clock is corrected by at most this much.
CLOCK_SECONDS = 4


@dataclass
class Ledger:
    """Counts what runs and operators do, and raises `InvariantBroken` if a count is too high."""

    operators: deque[float] = field(default_factory=deque)
    """When an operator did something that may cost a version."""
    unlocked: deque[float] = field(default_factory=deque)
    """When a run continued without the lock, so that it may have spent a version beside another run."""
    once: frozenset[Trigger] = frozenset({Trigger.REJECTED})
    """The triggers whose runs together request one token for each version, while the lock works."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How invocations ended, by trigger."""
    _requested: Counter[str] = field(default_factory=Counter)
    """How many tokens were requested under the lock, by the version to be replaced."""
    _excused: Counter[str] = field(default_factory=Counter)
    """How many of them were requested by runs that failed afterwards."""
    _refused: dict[str, float] = field(default_factory=dict)
    """When each circuit breaker was opened last."""

    def operator_acts(self, now: float) -> bool:
        """Return True, and note it, if an operator may do one more thing today that may cost a version."""
        self.forget(now)
        if len(self.operators) >= FORCED_A_DAY:
            return False
        self.operators.append(now)
        return True

    def forget(self, now: float) -> None:
        """Forget what is older than a day."""
        for moments in (self.operators, self.unlocked):
            while moments and moments[0] <= now - DAY_SECONDS:
                moments.popleft()

    def ended(self, frame: Frame, outcome: str, now: float) -> None:
        """Note that an invocation has ended."""
        if frame.unlocked and frame.token_calls:
            self.unlocked.append(now)
        self.outcomes[f"{frame.trigger}: {outcome}"] += 1
        version = frame.replaces
        if version is None or not frame.token_calls or frame.trigger not in self.once:
            return
        if frame.unlocked:
            if frame.trigger is Trigger.REJECTED:
                raise InvariantBroken("renew has asked for a token without the lock")
            return
        self._requested[version] += frame.token_calls
        if self._requested[version] > self._excused[version] + 1:
            raise InvariantBroken(f"version {version} was replaced with {self._requested[version]} token calls")
        if outcome != Outcome.ROTATED:
            self._excused[version] += frame.token_calls

    def published(self, frame: Frame, before: Sight, after: Sight) -> None:
        """Note that a run has replaced the version `before`."""
        if frame.replaces != (before.version_id or ""):
            raise InvariantBroken(f"version {before.version_id} was replaced in place of {frame.replaces}")
        document, new = before.document, after.document
        if document is None or new is None:
            return
        if new.holds_same_token(document):
            raise InvariantBroken(f"version {after.version_id} holds the token of version {before.version_id}")
        if new.issued_at + CLOCK_SECONDS < document.issued_at:
            raise InvariantBroken(f"version {after.version_id} is older than {before.version_id}")
        has_expired = document.expires_at <= after.at + CLOCK_SECONDS
        if has_expired or frame.trigger not in (Trigger.SCHEDULE, Trigger.REJECTED):
            return
        if frame.rejected not in (None, before.version_id):
            raise InvariantBroken(f"version {before.version_id} was replaced because {frame.rejected} was rejected")
        age = after.at - document.issued_at
        if age < document.life_seconds / _YOUNG_FRACTION - CLOCK_SECONDS:
            raise InvariantBroken(f"version {before.version_id} was replaced {age:.0f} s after it was issued")

    def staged(self, frame: Frame, created: list[float], now: float) -> None:
        """Note that a run stores one more version beside those that were created at these times."""
        if frame.trigger is Trigger.REJECTED:
            # Other runs may have written one since this run counted them.
            counted = [moment for moment in created if moment <= now - _COUNTED_AGAIN_SECONDS]
            if not renewals_left(counted, now, SCHEDULE_SECONDS):
                raise InvariantBroken("a version was spent on a renewal although none was left for renewals")

    def published_by_hand(self, version_id: str) -> None:
        """Note that an operator has published a version, so that it may be replaced once more."""
        self._requested.pop(version_id, None)
        self._excused.pop(version_id, None)

    def requested(self, frame: Frame, now: float) -> None:
        """Note that a run requests a token, which consumers and the watchdog do not for a minute after a refusal."""
        refused_at = self._refused.get(frame.circuit or "", -math.inf)
        if now < refused_at + _LEFT_ALONE_SECONDS - CLOCK_SECONDS:
            raise InvariantBroken(f"a token was requested {now - refused_at:.0f} s after a refusal")

    def refused(self, frame: Frame, account: str) -> None:
        """Note that the token endpoint has refused an account's credentials, at most once for each replacement."""
        if account in frame.refused:
            raise InvariantBroken(f"the credentials of {account} were refused twice for one replacement")
        frame.refused.append(account)

    def opened(self, circuit: str, now: float) -> None:
        """Note a refusal in a run for the watchdog or a consumer."""
        self._refused[circuit] = now

    def closed(self, circuit: str) -> None:
        """Note that a forced rotation has succeeded."""
        self._refused.pop(circuit, None)

    def forgets_refusals(self) -> None:
        """Forget refusals, because the lock table was gone or a process was killed before it could write one there."""
        self._refused.clear()
