"""The lock that both functions share, and the circuit breaker, in memory and in virtual time."""

from __future__ import annotations

from collections.abc import Callable

from rotator.domain.errors import (
    CircuitOpen,
    CredentialsRefused,
    LockUnavailable,
    RejectedTokenAgain,
    ReplacementInProgress,
    TokenRejectedByProbe,
)
from rotator.domain.invocation import Invocation
from rotator.domain.result import Outcome, Result

RECORD_SECONDS = 30
OPEN_SECONDS = 60


class InMemoryLock:
    """As `rotator.ports.Lock` describes it; `down` makes the table unavailable."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}
        self._results: dict[tuple[str, str], tuple[str | None, int | None]] = {}
        self.down = False

    def hold(self, account: str, version_id: str, ends_at: float) -> None:
        """Another run takes the lock and never releases it."""
        self._until[account, version_id] = ends_at

    def acquire(self, invocation: Invocation, version_id: str) -> Result | None:
        if self.down:
            raise LockUnavailable(invocation.account, "locks", "EndpointConnectionError")
        key = invocation.account, version_id
        if self._until.get(key, 0) > self._clock():
            if key in self._results:
                return Result(Outcome.SUPERSEDED, invocation, *self._results[key])
            raise ReplacementInProgress
        self._results.pop(key, None)
        self._until[key] = invocation.ends_at
        return None

    def release(self, invocation: Invocation, version_id: str, result: Result | None) -> None:
        key = invocation.account, version_id
        if result is not None and result.outcome in (Outcome.ROTATED, Outcome.SUPERSEDED):
            self._until[key] = self._clock() + RECORD_SECONDS
            self._results[key] = result.version_id, result.expires_at
        else:
            self._until.pop(key, None)


class InMemoryCircuitBreaker:
    """As `rotator.ports.CircuitBreaker` describes it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open_until: dict[str, float] = {}

    def call[T](self, circuit: str, secret_id: str, request: Callable[[], T]) -> T:
        if self._open_until.get(circuit, 0) > self._clock():
            raise CircuitOpen(secret_id, OPEN_SECONDS)
        try:
            answer = request()
        except (CredentialsRefused, RejectedTokenAgain, TokenRejectedByProbe):
            self._open_until[circuit] = self._clock() + OPEN_SECONDS
            raise
        self.close(circuit)
        return answer

    def close(self, circuit: str) -> None:
        self._open_until.pop(circuit, None)
