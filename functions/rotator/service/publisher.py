"""Replaces a given version of a token with a new token, at most once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from rotator.domain.errors import LockUnavailable, ReplacementInProgress
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import may_promote
from rotator.domain.result import Outcome, Result
from rotator.domain.schedule import interval_seconds
from rotator.domain.settings import Settings
from rotator.domain.stored_token import StoredToken
from rotator.domain.version_budget import renewals_left
from rotator.ports import Lock, SecretStore
from rotator.service.issuer import Issuer
from rotator.service.token_secret import left_staged, read_token

# A replacement takes a second or two, most of it at the token endpoint.
_IN_PROGRESS_RETRY_SECONDS = 2
# The schedule has a precision of one minute.
_SHORTEST_WAIT_SECONDS = 60


@dataclass(frozen=True)
class Publisher:
    """Replaces the published token of an account, whatever the trigger."""

    settings: Settings
    secrets: SecretStore
    issuer: Issuer
    lock: Lock
    clock: Callable[[], float] = time.time
    new_version_id: Callable[[], object] = uuid.uuid4

    def replace(self, invocation: Invocation, published: StoredToken) -> Result:
        """Replace the published token, unless another run is doing so or has just done so.

        Raises:
            LockUnavailable: the lock failed, and the trigger is `rejected`. Without the lock, a thousand consumers
                would cause a thousand token calls. Other triggers continue, protected by the compare and swap.
            RotatorError: the replacement failed. The published token stays as it was.
        """
        version_id = published.version_id
        try:
            just_replaced = self.lock.acquire(invocation, version_id)
        except ReplacementInProgress:
            return self._in_progress(invocation, published)
        except LockUnavailable as error:
            if invocation.trigger is Trigger.REJECTED:
                raise
            invocation.lock_unavailable = True
            invocation.warn(f"continued without the lock: {error}")
            just_replaced = None
        if just_replaced:
            return just_replaced
        result = None
        try:
            result = self._publish(invocation, published)
        finally:
            if not invocation.lock_unavailable:
                self.lock.release(invocation, version_id, result)
        return result

    def _publish(self, invocation: Invocation, published: StoredToken) -> Result:
        secret_id = self.settings.token_secret(invocation.account)
        staged = left_staged(self.secrets, secret_id, published)
        if staged and "AWSCURRENT" in staged.stages:
            # Another run has published it since this one read what is published.
            return Result.of(invocation, Outcome.SUPERSEDED, staged)
        if staged and staged.document and may_promote(invocation, staged.document, published.document, self.clock()):
            invocation.warn("published a token that an interrupted run had left staged")
            return self._promote(invocation, secret_id, staged, published)
        if invocation.trigger is Trigger.REJECTED:
            left = renewals_left(self.secrets.created(secret_id), self.clock(), self._interval_seconds)
            invocation.version_budget_left = max(0, left - 1)
            if not left:
                wait = self._next_schedule_seconds(published)
                return Result.of(invocation, Outcome.BUDGET_EXHAUSTED, published, retry_after_seconds=wait)
        document = self.issuer.issue(invocation, published.document)
        if published.document and published.document.holds_same_token(document):
            return Result.of(invocation, Outcome.UNCHANGED, published)
        document = replace(document, version_id=str(self.new_version_id()))
        stages = self.secrets.stage(secret_id, document.version_id, document.to_json())
        return self._promote(invocation, secret_id, StoredToken(document.version_id, stages, document), published)

    def _promote(self, invocation: Invocation, secret_id: str, staged: StoredToken, published: StoredToken) -> Result:
        # Secrets Manager gives the first version of a secret AWSCURRENT [API PutSecretValue].
        if "AWSCURRENT" in staged.stages:
            return Result.of(invocation, Outcome.ROTATED, staged)
        if self.secrets.promote(secret_id, staged.version_id, published.version_id or None):
            return Result.of(invocation, Outcome.ROTATED, staged)
        now_published = read_token(self.secrets, secret_id)
        if now_published.version_id == published.version_id:
            # Already replaced, but this read is stale: Secrets Manager is eventually consistent.
            return self._in_progress(invocation, published)
        return Result.of(invocation, Outcome.SUPERSEDED, now_published)

    def _in_progress(self, invocation: Invocation, published: StoredToken) -> Result:
        wait = _IN_PROGRESS_RETRY_SECONDS
        return Result.of(invocation, Outcome.IN_PROGRESS, published, retry_after_seconds=wait)

    @property
    def _interval_seconds(self) -> int:
        return interval_seconds(self.settings.schedule_expression)

    def _next_schedule_seconds(self, published: StoredToken) -> int:
        """Return the number of seconds until the schedule publishes the next token, which the budget does not limit."""
        now = self.clock()
        issued_at = published.document.issued_at if published.document else now
        return max(_SHORTEST_WAIT_SECONDS, int(issued_at + self._interval_seconds - now))
