"""The core's ports over the in-memory machines, each call of them an outside call that may go wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from doubles import InMemoryCircuitBreaker, InMemorySecretStore, InMemorySingleFlight, RecordingEventBus
from faults.histories.acts import Fail
from faults.histories.outside import Outside
from faults.histories.talend import Talend
from rotator.domain.credentials import Credentials
from rotator.domain.errors import (
    EventNotSent,
    InvalidTokenResponse,
    LockUnavailable,
    ReplacementInProgress,
    SecretStoreError,
    TokenRefused,
    TokenUnavailable,
)
from rotator.domain.invocation import Trigger
from rotator.domain.result import Result
from rotator.domain.token_response import TokenResponse
from rotator.ports import Probed, SecretVersion, Verdict
from talend_token.document import Sensitive, TokenDocument

# How long readers may see what was there before.
STALE_SECONDS = 5
_CODES = (
    "ThrottlingException",
    "AccessDeniedException",
    "ResourceNotFoundException",
    "InvalidRequestException",
    "DecryptionFailure",
    "InternalServiceError",
    "ReadTimeoutError",
    "EndpointConnectionError",
)
_STAGES = ("AWSCURRENT", "AWSPREVIOUS", "AWSPENDING")


@dataclass
class Store:
    """See `rotator.ports.SecretStore`. `changed` is called after whatever the system may have changed."""

    inner: InMemorySecretStore
    outside: Outside
    changed: Callable[[], None]
    limit_met: list[Trigger | None] = field(default_factory=list)
    """For whom a version was refused because there are too many."""
    _before: dict[tuple[str, str], tuple[float, SecretVersion | None]] = field(default_factory=dict)
    """What a label showed before the last change, and when that was."""

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        def read() -> SecretVersion | None:
            return self.seen(secret_id, stage, stale=self.outside.reads_stale())

        return self.outside.call("read", read, self._errors("read", secret_id))

    def seen(self, secret_id: str, stage: str, *, stale: bool) -> SecretVersion | None:
        """What a reader gets; a moment ago if it is stale."""
        changed_at, before = self._before.get((secret_id, stage), (-math.inf, None))
        if stale and self.outside.now() - changed_at < STALE_SECONDS:
            return before
        return self.inner.read(secret_id, stage)

    def created(self, secret_id: str) -> list[float]:
        return self.outside.call("created", lambda: self.inner.created(secret_id), self._errors("created", secret_id))

    def key(self, secret_id: str) -> str | None:
        return self.outside.call("key", lambda: self.inner.key(secret_id), self._errors("key", secret_id))

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> SecretVersion:
        def stage() -> SecretVersion:
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
        """While it is open, the secret changes: for a moment, stale reads show what was before."""
        was = {stage: self.inner.read(secret_id, stage) for stage in _STAGES}
        yield
        for stage, before in was.items():
            now = self.inner.read(secret_id, stage)
            if (before and before.version_id) != (now and now.version_id):
                self._before[secret_id, stage] = (self.outside.now(), before)

    def _errors(self, operation: str, secret_id: str) -> list[Callable[[], Exception]]:
        return [
            lambda code=code: SecretStoreError(operation, secret_id, code, "Mend it.")  # type: ignore[misc]
            for code in _CODES
        ]


class _TableFailed(BaseException):
    """The lock table fails while the lock is held: it stays held."""


@dataclass
class Lock:
    """See `rotator.ports.SingleFlight`."""

    inner: InMemorySingleFlight
    outside: Outside

    def once(self, account: str, version_id: str, ends_at: float, replace: Callable[[], Result]) -> tuple[Result, bool]:
        frame = self.outside.frame
        frame.replaces = version_id
        incident = frame.plan.get(len(frame.calls))
        own: list[Result] = []

        def no_lock() -> Exception:
            frame.unlocked = True
            return LockUnavailable("locks", "EndpointConnectionError")

        def once() -> tuple[Result, bool]:
            return self.inner.once(account, version_id, ends_at, replace)

        def take() -> None:
            """The answer gets lost: the lock is taken, and whoever took it does not know."""
            with suppress(_TableFailed, ReplacementInProgress):
                self.inner.once(account, version_id, ends_at, _fail)

        def lose() -> tuple[Result, bool]:
            """The result is not stored: what was replaced counts all the same."""

            def replace_and_fail() -> Result:
                own.append(replace())
                raise _TableFailed

            try:
                return self.inner.once(account, version_id, ends_at, replace_and_fail)
            except _TableFailed:
                return own[0], True

        if isinstance(incident, Fail) and incident.lost and "lock" not in self.outside.failing:
            # Whatever the table failed at, it was after the lock was taken.
            if incident.error % 2:
                return self.outside.call("lock", lose)
            self.outside.call("lock", take, [no_lock])
        return self.outside.call("lock", once, [no_lock])


def _fail() -> Result:
    raise _TableFailed


@dataclass
class Breaker:
    """See `rotator.ports.CircuitBreaker`: without its table, calls go through."""

    inner: InMemoryCircuitBreaker
    outside: Outside

    def call[T](self, circuit: str, api_url: str, ask: Callable[[], T]) -> T:
        return ask() if "lock" in self.outside.failing else self.inner.call(circuit, api_url, ask)

    def close(self, circuit: str) -> None:
        if "lock" not in self.outside.failing:
            self.inner.close(circuit)


@dataclass
class Endpoint:
    """See `rotator.ports.TokenEndpoint`."""

    talend: Talend
    outside: Outside
    published: Callable[[], str]
    refused: Callable[[Credentials, float, float], None]
    """Told of each refusal: when the call began and ended."""
    granted: Callable[[Credentials], None]

    def request_token(self, credentials: Credentials, api_url: str, deadline: float) -> TokenResponse:
        url = f"{api_url}/security/oauth/token"
        requested_at, began = self.outside.now(), self.talend.clock()
        issued: list[bool] = []

        def request() -> TokenResponse:
            if self.outside.now() >= deadline:
                raise TokenUnavailable(url, "could not be reached (ReadTimeout)", "Wait.")
            if not self.talend.knows(credentials):
                raise refuse()
            odd = self.outside.odd()
            body = self.talend.issue(odd.oddity if odd else None, self.published())
            self.outside.frame.token_calls += 1
            issued.append(True)
            self.granted(credentials)
            return TokenResponse(url, requested_at, json.dumps(body).encode())

        def refuse() -> Exception:
            # A token was issued, and yet a refusal is said: the run goes on to the previous pair, once for each pair.
            if issued:
                self.outside.frame.token_calls -= 1
            self.refused(credentials, began, self.talend.clock())
            return TokenRefused(url, "answered 403", "Mend the rights.", status=403)

        errors: list[Callable[[], Exception]] = [
            lambda: TokenUnavailable(url, "answered 503", "Wait.", status=503),
            lambda: InvalidTokenResponse(url, "answered with something that is not a JSON object", "Wait."),
            refuse,
        ]
        return self.outside.call("token", request, errors)


@dataclass
class Probe:
    """See `rotator.ports.Probe`."""

    talend: Talend
    outside: Outside
    refused: Callable[[str], None]

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:  # noqa: ARG002 (never late)
        url = f"{document.api_url}{path}"

        def probe() -> Verdict:
            if isinstance(self.outside.frame.incident, Fail):
                return Verdict.UNKNOWN
            if self.talend.works(document.access_token):
                return Verdict.ACCEPTED
            self.refused(document.access_token)
            return Verdict.REFUSED

        return Probed(self.outside.call("probe", probe), url, f"GET {url}")


@dataclass
class Bus:
    """See `rotator.ports.EventBus`."""

    inner: RecordingEventBus
    outside: Outside

    def rotated(self, result: Result) -> None:
        def send() -> None:
            self.inner.sent = [result.as_event()]

        self.outside.call("event", send, [lambda: EventNotSent("InternalException")])
