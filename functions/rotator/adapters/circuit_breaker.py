"""Remembers for a minute that credentials were refused or a token was unusable, with Powertools' circuit breaker.

All instances of both functions share it through the DynamoDB table that also holds the locks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.circuit_breaker import CircuitBreakerConfig, circuit_breaker
from aws_lambda_powertools.utilities.circuit_breaker.exceptions import CircuitBreakerOpenError
from aws_lambda_powertools.utilities.circuit_breaker.persistence import CircuitBreakerDynamoDBPersistence

from rotator.domain.errors import (
    CircuitOpen,
    CredentialsRefused,
    RejectedTokenAgain,
    RotatorError,
    TokenRejectedByProbe,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Shorter than any fix takes. After a fix, consumers wait a minute at most.
_OPEN_SECONDS = 60
_CONFIG = CircuitBreakerConfig(
    # One refusal is enough, because the same request will be refused again (RFC 6749 section 5.2).
    failure_threshold=1,
    success_threshold=1,
    recovery_timeout=_OPEN_SECONDS,
    handled_exceptions=(CredentialsRefused, RejectedTokenAgain, TokenRejectedByProbe),
    # The state is read from the table each time, because a function that is invoked rarely gains nothing from a cache.
    local_cache_max_age=0,
)


class DynamoDBCircuitBreaker:
    """See `rotator.ports.CircuitBreaker`. If the table fails, calls go through: a breaker must not cause an outage."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._store = CircuitBreakerDynamoDBPersistence(table_name=table_name, boto3_client=client)

    def call[T](self, circuit: str, secret_id: str, request: Callable[[], T]) -> T:
        guarded = circuit_breaker(name=_name(circuit), persistence_store=self._store, config=_CONFIG)(request)
        try:
            answer: T = guarded()
        except CircuitBreakerOpenError:
            raise CircuitOpen(secret_id, _OPEN_SECONDS) from None
        except RotatorError:
            raise
        except Exception:  # noqa: BLE001 (the table failed when the breaker was to try again after a minute)
            return request()
        return answer

    def close(self, circuit: str) -> None:
        self._store.configure(config=_CONFIG, circuit_name=_name(circuit))
        # A failure of the table may be ignored, because the breaker then lets all calls through anyway.
        with suppress(Exception):
            self._store.save_closed(_name(circuit))


def _name(circuit: str) -> str:
    return f"talend-token/breaker/{circuit}"
