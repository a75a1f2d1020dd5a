"""The core's ports over the in-memory doubles. Each call of them is an outside call."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from doubles.lock import InMemoryCircuitBreaker, InMemoryLock
from doubles.secret_store import InMemorySecretStore
from faults.histories.incidents import Fail
from faults.histories.ledger import Ledger
from faults.histories.outside import Outside
from faults.histories.talend import Talend
from rotator.domain.credentials import Credentials
from rotator.domain.errors import (
    CredentialsRefused,
    InvalidTokenResponse,
    LockUnavailable,
    RejectedTokenAgain,
    ReplacementInProgress,
    SecretStoreError,
    TokenRejectedByProbe,
    TokenUnavailable,
)
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.result import Result
from rotator.domain.token_response import TokenResponse
from rotator.ports import Probed, SecretDescription, SecretVersion, Verdict
from talend_token.document import Sensitive, TokenDocument

# For how long readers may see the version before.
STALE_SECONDS = 5
_CODES = (
    "ThrottlingException",
    "AccessDeniedException",
    "ResourceNotFoundException",
)
_STAGES = ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING")


@dataclass
class Store:
    """See `rotator.ports.SecretStore`. `changed` is called after each call that may have changed a secret."""

    inner: InMemorySecretStore
    outside: Outside
    ledger: Ledger
    changed: Callable[[], None]
    limit_met: list[Trigger | None] = field(default_factory=list)
    """The triggers for which a version was refused because there are too many."""
    _before: dict[tuple[str, str], tuple[float, SecretVersion | None]] = field(default_factory=dict)
    """The version that a label had before its last change, and when that was."""

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        def read() -> SecretVersion | None:
            return self.seen(secret_id, stage, stale=self.outside.reads_stale())

        return self.outside.call("read", read, self._errors("read", secret_id))

    def seen(self, secret_id: str, stage: str, *, stale: bool) -> SecretVersion | None:
        """Return the version that a reader sees, which is the one before if the read is stale."""
        changed_at, before = self._before.get((secret_id, stage), (-math.inf, None))
        if stale and self.outside.now() - changed_at < STALE_SECONDS:
            return before
        return self.inner.read(secret_id, stage)

    def created(self, secret_id: str) -> list[float]:
        return self.outside.call("created", lambda: self.inner.created(secret_id), self._errors("created", secret_id))

    def describe(self, secret_id: str) -> SecretDescription:
        errors = self._errors("describe", secret_id)
        return self.outside.call("describe", lambda: self.inner.describe(secret_id), errors)

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> frozenset[str]:
        def stage() -> frozenset[str]:
            self.ledger.staged(self.outside.frame, self.inner.created(secret_id), self.outside.now())
            with self.changing(secret_id):
                try:
                    staged = self.inner.stage(secret_id, version_id, text)
                except SecretStoreError as error:
                    if error.code == "LimitExceededException":
                        self.limit_met.append(self.outside.frame.trigger)
                    raise
            self.changed()
            return staged

        return self.outside.call("stage", stage, self._errors("stage", secret_id))

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        def promote() -> bool:
            with self.changing(secret_id):
                promoted = self.inner.promote(secret_id, version_id, replaced)
            self.changed()
            return promoted

        return self.outside.call("promote", promote, self._errors("promote", secret_id))

    @contextmanager
    def changing(self, secret_id: str) -> Iterator[None]:
        """Let the block change a secret. For a moment after it, stale reads show the version before."""
        was = {stage: self.inner.read(secret_id, stage) for stage in _STAGES}
        yield
        for stage, before in was.items():
            if (before and before.version_id) != self.inner.label(secret_id, stage):
                self._before[secret_id, stage] = (self.outside.now(), before)

    def _errors(self, operation: str, secret_id: str) -> list[Callable[[], Exception]]:
        return [
            lambda code=code: SecretStoreError(operation, secret_id, code, "Fix it.")  # type: ignore[misc]
            for code in _CODES
        ]


class _TableFailed(Exception):
    """The lock table fails when the lock is released, which the adapter does not report."""


@dataclass
class Lock:
    """See `rotator.ports.Lock`."""

    inner: InMemoryLock
    outside: Outside

    def acquire(self, invocation: Invocation, version_id: str) -> Result | None:
        frame = self.outside.frame
        frame.replaces = version_id
        frame.refused.clear()

        def no_lock() -> Exception:
            frame.unlocked = True
            return LockUnavailable(invocation.account, "locks", "EndpointConnectionError")

        def acquire() -> Result | None:
            try:
                return self.inner.acquire(invocation, version_id)
            except ReplacementInProgress:
                # A run that does not receive the table's answer has no lock.
                if isinstance(frame.incident, Fail) and frame.incident.lost:
                    return None
                raise

        return self.outside.call("lock", acquire, [no_lock])

    def release(self, invocation: Invocation, version_id: str, result: Result | None) -> None:
        def release() -> None:
            if not self.outside.table_is_down:
                self.inner.release(invocation, version_id, result)

        with suppress(_TableFailed):
            self.outside.call("unlock", release, [_TableFailed])


@dataclass
class Breaker:
    """See `rotator.ports.CircuitBreaker`. Without its table, all requests are made."""

    inner: InMemoryCircuitBreaker
    outside: Outside
    ledger: Ledger
    now: Callable[[], float]

    def call[T](self, circuit: str, secret_id: str, request: Callable[[], T]) -> T:
        if self.outside.table_is_down:
            return request()
        self.outside.frame.circuit = circuit
        try:
            return self.inner.call(circuit, secret_id, request)
        except (CredentialsRefused, RejectedTokenAgain, TokenRejectedByProbe):
            self.ledger.opened(circuit, self.now())
            raise

    def close(self, circuit: str) -> None:
        if not self.outside.table_is_down:
            self.inner.close(circuit)
            self.ledger.closed(circuit)


@dataclass
class Endpoint:
    """See `rotator.ports.TokenEndpoint`."""

    talend: Talend
    outside: Outside
    ledger: Ledger
    published: Callable[[], str]

    def request_token(self, credentials: Credentials, deadline: float) -> TokenResponse:
        url, secret_id, frame = credentials.token_endpoint, credentials.secret_id, self.outside.frame
        requested_at = self.outside.now()
        self.ledger.requested(frame, self.talend.clock())
        issued: list[bool] = []

        def request() -> TokenResponse:
            if self.outside.now() >= deadline:
                raise TokenUnavailable(url, secret_id, "could not be reached (ReadTimeout)", "Wait.")
            if not self.talend.knows(credentials):
                raise refuse()
            body = self.talend.issue(self.published())
            frame.token_calls += 1
            issued.append(True)
            return TokenResponse(credentials, requested_at, json.dumps(body).encode())

        def refuse() -> Exception:
            # A token was issued, but the answer is a refusal, so that the run tries the previous credentials.
            if issued:
                frame.token_calls -= 1
            self.ledger.refused(frame, credentials.client_id)
            return CredentialsRefused(url, secret_id, "answered 403", "Fix the rights.", status=403)

        errors: list[Callable[[], Exception]] = [
            lambda: TokenUnavailable(url, secret_id, "answered 503", "Wait.", status=503),
            lambda: InvalidTokenResponse(url, secret_id, "answered with something that is not JSON", "Wait."),
            refuse,
        ]
        return self.outside.call("token", request, errors)


@dataclass
class Probe:
    """See `rotator.ports.Probe`."""

    talend: Talend
    outside: Outside
    refused: Callable[[str], None]
    checked: set[str] = field(default_factory=set)
    """The access tokens that the API did not reject."""

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:  # noqa: ARG002 (never late)
        url = f"{document.api_url}{path}"

        def probe() -> Verdict:
            self.checked.add(document.access_token)
            if isinstance(self.outside.frame.incident, Fail):
                return Verdict.UNKNOWN
            if self.talend.works(document.access_token):
                return Verdict.ACCEPTED
            self.checked.discard(document.access_token)
            self.refused(document.access_token)
            return Verdict.REJECTED

        return Probed(self.outside.call("probe", probe), url, f"GET {url}")
