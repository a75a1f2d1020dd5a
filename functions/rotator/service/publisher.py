"""The one operation of the system: put a new token in the place of *that* version, at most once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rotator.domain.errors import EventNotSent, InvalidTokenResponse, LockUnavailable, ReplacementInProgress
from rotator.domain.event import Trigger
from rotator.domain.policy import TokenState, is_worse, may_promote, state_of
from rotator.domain.result import Outcome, Result
from rotator.domain.settings import Settings
from rotator.domain.version_budget import interval_seconds, renewals_left
from rotator.ports import EVENT_SECONDS, EventBus, SingleFlight
from rotator.service.issuer import Issuer
from rotator.service.token_secret import Slot, TokenSecret
from talend_token.document import TokenDocument

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
    issued_after: float | None = None
    """A token that another run left staged is of use only if it was issued after this moment."""

    def result(self, outcome: Outcome, now_published: Slot) -> Result:
        """How the run ended, with what is published then."""
        document = now_published.document
        return Result(
            outcome=outcome,
            account=self.account,
            trigger=self.trigger,
            version_id=now_published.version_id or None,
            expires_at=document.expires_at if document else None,
            secret_arn=now_published.secret_arn,
            warnings=now_published.warnings,
        )


@dataclass(frozen=True)
class Replacement:
    """Replaces the published token of any account: every trigger ends here."""

    settings: Settings
    issuer: Issuer
    single_flight: SingleFlight
    event_bus: EventBus
    clock: Callable[[], float] = time.time
    new_version_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def replace(self, run: Run, published: Slot) -> Result:
        """Put a new token in the place of `published`, unless another run is at it or has done so, and tell of it.

        Raises:
            LockUnavailable: the lock table cannot be asked, and the trigger is a consumer's: without the lock a storm
                of them would be as many token calls. Every other trigger goes on, guarded by the compare and swap.
            RotatorError: whatever else goes wrong. The published token is as it was.
        """

        result = self._once(run, published)
        # After the lock was let go: a slow event bus keeps nobody from what is published.
        return self._announced(run, result) if result.outcome is Outcome.ROTATED else result

    def _once(self, run: Run, published: Slot) -> Result:
        def once() -> Result:
            return self._replace(run, published)

        try:
            result, own = self.single_flight.once(run.account, published.version_id, run.ends_at, once)
        except ReplacementInProgress:
            return self._in_progress(run, published)
        except LockUnavailable as error:
            if run.trigger is Trigger.REJECTED:
                raise
            unlocked = once()
            return replace(unlocked, locked=False, warnings=(*unlocked.warnings, f"went on without the lock: {error}"))
        if own:
            return result
        # Another run has replaced the same version a moment ago.
        return replace(result, outcome=Outcome.SUPERSEDED, trigger=run.trigger)

    def _announced(self, run: Run, result: Result) -> Result:
        if run.ends_at - self.clock() < EVENT_SECONDS:
            warning = "the event 'Talend Token Rotated' was not sent: no time was left"
            return replace(result, warnings=(*result.warnings, warning))
        try:
            self.event_bus.rotated(result)
        except EventNotSent as error:
            return replace(result, warnings=(*result.warnings, str(error)))
        return result

    def _replace(self, run: Run, published: Slot) -> Result:
        staged = run.secret.left_staged(published)
        if staged and staged.document and self._may_promote(run, staged.document, published.document):
            result = self._promote(run, staged, published)
            return replace(result, warnings=(*published.warnings, "published a token that a run had left staged"))
        left = self._renewals_left(run) if run.trigger is Trigger.REJECTED else None
        if left == 0:
            exhausted = run.result(Outcome.BUDGET_EXHAUSTED, published)
            return replace(exhausted, version_budget_left=0, retry_after_seconds=self._next_tick_seconds(published))
        deadline = run.ends_at - PUBLICATION_SECONDS
        issued = self.issuer.issue(run.account, run.trigger, deadline, published.document)
        if published.document is not None and published.document.fingerprint == issued.document.fingerprint:
            result = self._unchanged(run, published, issued.document)
        else:
            self._check_is_better(run, issued.document, published.document)
            result = self._promote(run, run.secret.stage(self.new_version_id(), issued.document), published)
        return replace(
            result,
            token_endpoint_seconds=issued.seconds,
            version_budget_left=left and left - 1,
            credentials_refused=issued.credentials_refused,
            warnings=published.warnings + issued.warnings,
        )

    def _may_promote(self, run: Run, staged: TokenDocument, published: TokenDocument | None) -> bool:
        return may_promote(run.trigger, staged, published, self.clock(), issued_after=run.issued_after)

    def _promote(self, run: Run, staged: Slot, published: Slot) -> Result:
        if run.secret.promote(staged, published):
            return run.result(Outcome.ROTATED, staged)
        now_published = run.secret.published()
        if now_published.version_id == published.version_id:
            # Replaced, and yet read: reads lag behind, and what is published is not to be seen yet.
            return self._in_progress(run, published)
        return run.result(Outcome.SUPERSEDED, now_published)

    def _in_progress(self, run: Run, published: Slot) -> Result:
        result = run.result(Outcome.IN_PROGRESS, published)
        return replace(result, retry_after_seconds=_IN_PROGRESS_RETRY_SECONDS)

    def _check_is_better(self, run: Run, issued: TokenDocument, published: TokenDocument | None) -> None:
        now = self.clock()
        if is_worse(run.trigger, issued, published, now):
            raise InvalidTokenResponse(
                f"{issued.api_url}/security/oauth/token",
                f"sent a token that lives {issued.remaining_seconds(now):.0f} s, less than the published one has left",
                "Nothing was published, and the published token works on. If it goes on, ask Talend about the life of "
                "tokens; a forced rotation publishes the shorter one.",
                status=200,
            )

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
