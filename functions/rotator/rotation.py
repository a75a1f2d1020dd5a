"""What each invocation decides before a token is replaced."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rotator.errors import RotatorError
from rotator.event import RenewRequest, RotateRequest, Trigger
from rotator.issuer import Issuer
from rotator.outcome import Outcome, Result
from rotator.policy import TokenState, is_due, state_of, young_seconds_left
from rotator.ports import SecretStore
from rotator.replacement import PUBLICATION_SECONDS, Replacement, Run
from rotator.settings import Settings
from rotator.token_secret import TokenSecret


@dataclass(frozen=True)
class Rotation:
    """The two functions' work.

    In both, `ends_at` is when the function's time is over, in seconds since the epoch. Whatever goes wrong, the
    published token stays as it was, and the `RotatorError` that is raised names the account.
    """

    settings: Settings
    secrets: SecretStore
    issuer: Issuer
    replacement: Replacement
    clock: Callable[[], float] = time.time

    def rotate(self, request: RotateRequest, ends_at: float) -> Result:
        """Replace the account's published token if the trigger finds it due."""
        with self._run(request.account, request.trigger, ends_at) as run:
            published = run.secret.published()
            if request.dry_run:
                issued, seconds = self.issuer.issue(
                    run.account, run.trigger, ends_at - PUBLICATION_SECONDS, published.document
                )
                warnings = published.warnings + issued.warnings
                checked = run.result(Outcome.CHECKED, published)
                return replace(checked, token_endpoint_seconds=seconds, warnings=warnings)
            if not is_due(run.trigger, published.document, self.clock()):
                return run.result(Outcome.FRESH, published)
            return self.replacement.replace(run, published)

    def renew(self, request: RenewRequest, ends_at: float) -> Result:
        """Replace the account's published token if it is the one that was rejected, or no longer works.

        A rejected token that is not the published one costs no token call and no version: its consumer reads again.
        """
        with self._run(request.account, Trigger.REJECTED, ends_at) as run:
            published = run.secret.published()
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

    @contextmanager
    def _run(self, account: str, trigger: Trigger, ends_at: float) -> Iterator[Run]:
        secret = TokenSecret(self.secrets, self.settings.token_secret(account))
        try:
            yield Run(account, trigger, ends_at, secret)
        except RotatorError as error:
            error.account = account
            raise
