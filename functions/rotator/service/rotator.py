"""What each invocation decides before a token is replaced."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rotator.domain.errors import RotatorError
from rotator.domain.event import RenewRequest, RotateRequest, Trigger
from rotator.domain.policy import TokenState, is_due, state_of, young_seconds_left
from rotator.domain.result import Outcome, Result
from rotator.domain.settings import Settings
from rotator.ports import SecretStore
from rotator.service.dry_run import Doctor
from rotator.service.publisher import PUBLICATION_SECONDS, Replacement, Run
from rotator.service.token_secret import Slot, TokenSecret

# The run that is in the way takes a second or two.
_LOOK_AGAIN_SECONDS = 2


@dataclass(frozen=True)
class Rotation:
    """The two functions' work.

    In both, `ends_at` is when the function's time is over, in seconds since the epoch. Whatever goes wrong, the
    published token stays as it was, and the `RotatorError` that is raised names the account.
    """

    settings: Settings
    secrets: SecretStore
    replacement: Replacement
    doctor: Doctor
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def rotate(self, request: RotateRequest, ends_at: float) -> Result:
        """Replace the account's published token if the trigger finds it due; a dry run only checks and lists."""
        run = self._run(request.account, request.trigger, ends_at, request.issued_after)
        if request.dry_run:
            return self.doctor.check(run)
        result = self._replace_if_due(run)
        # Another run may have read the credentials before they changed, and nothing tells of the change again.
        while run.issued_after is not None and result.outcome in (Outcome.IN_PROGRESS, Outcome.SUPERSEDED):
            if self.clock() + _LOOK_AGAIN_SECONDS > ends_at - PUBLICATION_SECONDS:
                break
            self.sleep(_LOOK_AGAIN_SECONDS)
            result = self._replace_if_due(run)
        return result

    def _replace_if_due(self, run: Run) -> Result:
        with _published(run) as published:
            if not is_due(run.trigger, published.document, self.clock(), issued_after=run.issued_after):
                return run.result(Outcome.FRESH, published)
            return self.replacement.replace(run, published)

    def renew(self, request: RenewRequest, ends_at: float) -> Result:
        """Replace the account's published token if it is the one that was rejected, or no longer works.

        A rejected token that is not the published one costs no token call and no version: its consumer reads again.
        """
        run = self._run(request.account, Trigger.REJECTED, ends_at)
        with _published(run) as published:
            now = self.clock()
            if published.document is None or state_of(published.document, now) is TokenState.INVALID:
                return self.replacement.replace(run, published)
            if not request.rejects(published.version_id, published.document):
                return run.result(Outcome.SUPERSEDED, published)
            too_soon_for = young_seconds_left(published.document, now)
            if too_soon_for > 0:
                too_soon = run.result(Outcome.TOO_SOON, published)
                return replace(too_soon, retry_after_seconds=math.ceil(too_soon_for))
            return self.replacement.replace(run, published)

    def _run(self, account: str, trigger: Trigger, ends_at: float, issued_after: float | None = None) -> Run:
        secret = TokenSecret(self.secrets, self.settings.token_secret(account))
        return Run(account, trigger, ends_at, secret, issued_after)


@contextmanager
def _published(run: Run) -> Iterator[Slot]:
    """What is published. An error that is raised meanwhile is told the account, and how long that token lives."""
    published = None
    try:
        published = run.secret.published()
        yield published
    except RotatorError as error:
        error.account = run.account
        if published is not None:
            error.expires_at = published.document.expires_at if published.document else 0
        raise
