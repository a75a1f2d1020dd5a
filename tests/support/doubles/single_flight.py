"""The lock that both functions share, and the circuit breaker, in memory and in virtual time."""

from __future__ import annotations

from collections.abc import Callable

from rotator.domain.errors import (
    CircuitOpen,
    LockUnavailable,
    RejectedTokenAgain,
    ReplacementInProgress,
    TokenRefused,
    TokenRejectedByProbe,
)
from rotator.domain.result import Outcome, Result

RECORD_SECONDS = 60
OPEN_SECONDS = 60


class InMemorySingleFlight:
    """As `rotator.ports.SingleFlight` describes it; `down` makes the table unavailable."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], float] = {}
        self._results: dict[tuple[str, str], Result] = {}
        self.down = False

    def hold(self, account: str, version_id: str, ends_at: float) -> None:
        """Another run takes the lock, and is never heard of again."""
        self._until[account, version_id] = ends_at

    def once(self, account: str, version_id: str, ends_at: float, replace: Callable[[], Result]) -> tuple[Result, bool]:
        if self.down:
            raise LockUnavailable("locks", "EndpointConnectionError")
        key = account, version_id
        if self._until.get(key, 0) > self._clock():
            if key in self._results:
                return self._results[key], False
            raise ReplacementInProgress
        self._results.pop(key, None)
        self._until[key] = ends_at
        try:
            result = replace()
        except Exception:
            del self._until[key]
            raise
        if result.outcome not in (Outcome.ROTATED, Outcome.SUPERSEDED):
            del self._until[key]
            return result, True
        self._until[key] = self._clock() + RECORD_SECONDS
        self._results[key] = Result.of_rotation(result.as_rotation())
        return result, True


class InMemoryCircuitBreaker:
    """As `rotator.ports.CircuitBreaker` describes it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open_until: dict[str, float] = {}

    def call[T](self, circuit: str, api_url: str, ask: Callable[[], T]) -> T:
        if self._open_until.get(circuit, 0) > self._clock():
            raise CircuitOpen(api_url, OPEN_SECONDS)
        try:
            answer = ask()
        except (TokenRefused, RejectedTokenAgain, TokenRejectedByProbe):
            self._open_until[circuit] = self._clock() + OPEN_SECONDS
            raise
        self.close(circuit)
        return answer

    def close(self, circuit: str) -> None:
        self._open_until.pop(circuit, None)
