"""The one operation of the system: put a new token in the place of *that* version, at most once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rotator.budget import interval_seconds, renewals_left
from rotator.errors import InvalidTokenResponse, LockUnavailable, ReplacementInProgress
from rotator.event import Trigger
from rotator.issuer import Issuer
from rotator.outcome import Outcome, Result
from rotator.policy import TokenState, may_promote, state_of
from rotator.ports import SingleFlight
from rotator.settings import Settings
from rotator.token_secret import Slot, TokenSecret
from talend_token import TokenDocument

# What publication needs of the function's time after the token endpoint has answered.
PUBLICATION_SECONDS = 10
# A replacement takes a second or two, most of it at the token endpoint.
_IN_PROGRESS_RETRY_SECONDS = 2


@dataclass(frozen=True)
class Run:
    """One invocation. `ends_at` is when the function's time is over, in seconds since the epoch."""

    account: str
    trigger: Trigger
    ends_at: float
    secret: TokenSecret

    def result(self, outcome: Outcome, now_published: Slot) -> Result:
        """How the run ended, with what is published then."""
        document = now_published.document
        return Result(
            outcome=outcome,
            account=self.account,
            trigger=self.trigger,
            version_id=now_published.version_id or None,
            expires_at=document.expires_at if document else None,
            warnings=now_published.warnings,
        )


@dataclass(frozen=True)
class Replacement:
    """Replaces the published token of any account: every trigger ends here."""

    settings: Settings
    issuer: Issuer
    single_flight: SingleFlight
    clock: Callable[[], float] = time.time
    new_version_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def replace(self, run: Run, published: Slot) -> Result:
        """Put a new token in the place of `published`, unless another run is at it or has done so.

        Raises:
            LockUnavailable: the lock table cannot be asked, and the trigger is a consumer's: without the lock a storm
                of them would be as many token calls. Every other trigger goes on, guarded by the compare and swap.
            RotatorError: whatever else goes wrong. The published token is as it was.
        """

        def once() -> Result:
            return self._replace(run, published)

        try:
            result, own = self.single_flight.once(run.account, published.version_id, run.ends_at, once)
        except ReplacementInProgress:
            return replace(run.result(Outcome.IN_PROGRESS, published), retry_after_seconds=_IN_PROGRESS_RETRY_SECONDS)
        except LockUnavailable as error:
            if run.trigger is Trigger.REJECTED:
                raise
            unlocked = once()
            return replace(unlocked, locked=False, warnings=(*unlocked.warnings, f"went on without the lock: {error}"))
        if own:
            return result
        # What another run has done in the place of the same version, a moment ago.
        outcome = Outcome.SUPERSEDED if result.outcome is Outcome.ROTATED else result.outcome
        return replace(result, outcome=outcome, trigger=run.trigger)

    def _replace(self, run: Run, published: Slot) -> Result:
        staged = run.secret.left_staged(published)
        if staged and staged.document and may_promote(run.trigger, staged.document, published.document, self.clock()):
            result = self._promote(run, staged, published)
            return replace(result, warnings=(*published.warnings, "published a token that a run had left staged"))
        left = self._renewals_left(run) if run.trigger is Trigger.REJECTED else None
        if left == 0:
            exhausted = run.result(Outcome.BUDGET_EXHAUSTED, published)
            return replace(exhausted, version_budget_left=0, retry_after_seconds=self._next_tick_seconds(published))
        deadline = run.ends_at - PUBLICATION_SECONDS
        issued, seconds = self.issuer.issue(run.account, run.trigger, deadline, published.document)
        if published.document is not None and published.document.fingerprint == issued.document.fingerprint:
            result = self._unchanged(run, published, issued.document)
        else:
            result = self._promote(run, run.secret.stage(self.new_version_id(), issued.document), published)
        warnings = published.warnings + issued.warnings
        return replace(result, token_endpoint_seconds=seconds, version_budget_left=left and left - 1, warnings=warnings)

    def _promote(self, run: Run, staged: Slot, published: Slot) -> Result:
        if run.secret.promote(staged, published):
            return run.result(Outcome.ROTATED, staged)
        return run.result(Outcome.SUPERSEDED, run.secret.published())

    def _unchanged(self, run: Run, published: Slot, issued: TokenDocument) -> Result:
        if state_of(published.document, self.clock()) is TokenState.INVALID:
            raise InvalidTokenResponse(
                f"{issued.api_url}/security/oauth/token",
                "handed out the published token again, although that has expired",
                "Report it to Talend.",
                status=200,
            )
        return run.result(Outcome.UNCHANGED, published)

    def _renewals_left(self, run: Run) -> int:
        tick_seconds = interval_seconds(self.settings.schedule_expression)
        return renewals_left(run.secret.created(), self.clock(), tick_seconds)

    def _next_tick_seconds(self, published: Slot) -> int:
        """When the schedule publishes the next token, whatever the budget."""
        now = self.clock()
        issued_at = published.document.issued_at if published.document else now
        return max(60, int(issued_at + interval_seconds(self.settings.schedule_expression) - now))
