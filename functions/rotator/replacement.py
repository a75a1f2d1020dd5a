"""The one operation of the system: put a new token in the place of *that* version, at most once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rotator.budget import interval_seconds, renewals_left
from rotator.errors import BudgetExhausted, InvalidTokenResponse, LockUnavailable, ReplacementInProgress
from rotator.event import Trigger
from rotator.issuer import Issuer
from rotator.outcome import Outcome, Result
from rotator.policy import TokenState, may_promote, state_of
from rotator.ports import SingleFlight
from rotator.settings import Settings
from rotator.token_secret import Slot, TokenSecret

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
        except BudgetExhausted as error:
            exhausted = run.result(Outcome.BUDGET_EXHAUSTED, published)
            return replace(exhausted, version_budget_left=0, retry_after_seconds=error.retry_after_seconds)
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
        left = self._spend_budget(run, published)
        issued, seconds = self.issuer.issue(run.account, run.trigger, run.ends_at - PUBLICATION_SECONDS)
        if published.document is not None and published.document.fingerprint == issued.document.fingerprint:
            result = self._unchanged(run, published)
        else:
            result = self._promote(run, run.secret.stage(self.new_version_id(), issued.document), published)
        warnings = published.warnings + issued.warnings
        return replace(result, token_endpoint_seconds=seconds, version_budget_left=left, warnings=warnings)

    def _promote(self, run: Run, staged: Slot, published: Slot) -> Result:
        if run.secret.promote(staged, published):
            return run.result(Outcome.ROTATED, staged)
        return run.result(Outcome.SUPERSEDED, run.secret.published())

    def _unchanged(self, run: Run, published: Slot) -> Result:
        expired = state_of(published.document, self.clock()) is TokenState.INVALID
        if expired or run.trigger is Trigger.REJECTED:
            raise InvalidTokenResponse(
                f"{published.document.api_url if published.document else ''}/security/oauth/token",
                f"handed out the published token again, although that {'has expired' if expired else 'was rejected'}",
                "Report it to Talend.",
                status=200,
            )
        return run.result(Outcome.UNCHANGED, published)

    def _spend_budget(self, run: Run, published: Slot) -> int | None:
        """How many renewals are left after this one; None if nobody counts, because it is not one."""
        if run.trigger is not Trigger.REJECTED:
            return None
        now = self.clock()
        tick_seconds = interval_seconds(self.settings.schedule_expression)
        left = renewals_left(run.secret.created(), now, tick_seconds)
        if left == 0:
            # The schedule publishes the next token at its next tick, whatever the budget.
            issued_at = published.document.issued_at if published.document else now
            raise BudgetExhausted(run.account, max(60, int(issued_at + tick_seconds - now)))
        return left - 1
