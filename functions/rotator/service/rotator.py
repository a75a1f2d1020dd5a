"""Decides for each invocation whether the published token is replaced."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from rotator.domain.errors import NoCredentialsYet, SecretStoreError
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import TokenState, is_due, state_of, young_seconds_left
from rotator.domain.result import Outcome, Result
from rotator.domain.settings import Settings
from rotator.domain.stored_token import StoredToken
from rotator.ports import SecretStore
from rotator.service.dry_run import DryRun
from rotator.service.publisher import Publisher
from rotator.service.token_secret import read_token

# The other run takes a second or two.
_LOOK_AGAIN_SECONDS = 2
# AWS denies access to a name that does not exist.
_NO_SUCH_SECRET = ("ResourceNotFoundException", "AccessDeniedException")


@dataclass(frozen=True)
class Rotator:
    """Carries out `rotate` and `renew`. A failure raises a `RotatorError` and leaves the published token as it was."""

    settings: Settings
    secrets: SecretStore
    publisher: Publisher
    dry_run: DryRun
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def rotate(self, invocation: Invocation) -> Result:
        """Replace the account's published token if it is due for this trigger. A dry run only checks."""
        if not invocation.account:
            return Result(Outcome.IGNORED, invocation)
        if invocation.dry_run:
            return self.dry_run.check(invocation)
        result = self._rotate(invocation)
        # Another run may have read the credentials before they changed, and no other event announces the change.
        while invocation.issued_after is not None and result.outcome in (Outcome.IN_PROGRESS, Outcome.SUPERSEDED):
            if self.clock() + _LOOK_AGAIN_SECONDS > invocation.token_deadline:
                break
            self.sleep(_LOOK_AGAIN_SECONDS)
            result = self._rotate(invocation)
        return result

    def _rotate(self, invocation: Invocation) -> Result:
        try:
            published = self._published(invocation)
        except SecretStoreError as error:
            if invocation.issued_after is None or error.code not in _NO_SUCH_SECRET:
                raise
            # Without a token secret, the credentials belong to another owner.
            return Result(Outcome.IGNORED, invocation)
        if not is_due(invocation, published.document, self.clock()):
            return Result.of(invocation, Outcome.FRESH, published)
        try:
            return self.publisher.replace(invocation, published)
        except NoCredentialsYet:
            if invocation.trigger not in (Trigger.SCHEDULE, Trigger.WATCHDOG):
                raise
            return Result.of(invocation, Outcome.WAITING_FOR_CREDENTIALS, published)

    def renew(self, invocation: Invocation) -> Result:
        """Replace the account's published token if it is the one that was rejected, or is no longer valid.

        A rejected token that is no longer the published one costs neither a token call nor a version, because its
        consumer only has to read the secret again.
        """
        published, now = self._published(invocation), self.clock()
        if published.document is None or state_of(published.document, now) is TokenState.INVALID:
            return self.publisher.replace(invocation, published)
        if invocation.rejected_version_id != published.version_id:
            return Result.of(invocation, Outcome.SUPERSEDED, published)
        too_soon_for = math.ceil(young_seconds_left(published.document, now))
        if too_soon_for:
            return Result.of(invocation, Outcome.TOO_SOON, published, retry_after_seconds=too_soon_for)
        return self.publisher.replace(invocation, published)

    def _published(self, invocation: Invocation) -> StoredToken:
        published = read_token(self.secrets, self.settings.token_secret(invocation.account))
        # The log line reports it even if the rest fails.
        invocation.expires_at = published.document.expires_at if published.document else 0
        if published.problem:
            invocation.warn(published.problem)
        return published
