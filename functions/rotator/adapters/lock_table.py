"""One replacement of a version at a time, by Powertools Idempotency on a DynamoDB table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyPersistenceLayerError,
)
from botocore.config import Config

from rotator.domain.errors import LockUnavailable, ReplacementInProgress
from rotator.domain.result import Outcome, Result

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# One prefix for both functions, so that they share the lock; by default it would be the function's name.
_KEY_PREFIX = "talend-token"
# Long enough for every consumer of a storm to be answered from the record, and short enough for a version that a
# person has rolled back to be replaced again.
_RECORD_SECONDS = 60
_REPLACED = (Outcome.ROTATED, Outcome.SUPERSEDED)


def lock_table_client() -> DynamoDBClient:
    """A client that gives up soon, as a rotation goes on without its lock.

    It does not try again: a lock whose answer was lost would look like somebody else's.
    """
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 1})
    return boto3.client("dynamodb", config=config)


class IdempotentSingleFlight:
    """See `rotator.ports.SingleFlight`."""

    def __init__(self, client: DynamoDBClient, table_name: str, clock: Callable[[], float] = time.time) -> None:
        self._table_name = table_name
        self._clock = clock
        self._store = DynamoDBPersistenceLayer(table_name=table_name, boto3_client=client)

    def once(self, account: str, version_id: str, ends_at: float, replace: Callable[[], Result]) -> tuple[Result, bool]:
        own: list[Result] = []
        failed: list[Exception] = []

        def run(replacement: dict[str, str]) -> dict[str, Any]:  # noqa: ARG001 (Powertools hashes it)
            try:
                own.append(replace())
            except Exception as error:
                # Kept, because Powertools raises its own in the place of it if the table fails, too.
                failed.append(error)
                raise
            if own[0].outcome not in _REPLACED:
                raise _NothingReplacedError
            return own[0].as_rotation()

        config = IdempotencyConfig(expires_after_seconds=_RECORD_SECONDS)
        # A run that dies blocks the version no longer than it could itself have run.
        config.register_lambda_context(_RemainingTime(ends_at, self._clock))  # type: ignore[arg-type]
        flight = idempotent_function(
            run,
            data_keyword_argument="replacement",
            persistence_store=self._store,
            config=config,
            key_prefix=_KEY_PREFIX,
        )
        try:
            answer = flight(replacement={"account": account, "version_id": version_id})
        except _NothingReplacedError:
            return own[0], True
        except IdempotencyAlreadyInProgressError:
            raise ReplacementInProgress from None
        except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError) as error:
            # The table may fail after the replacement has been made, or has failed: that is what counts then.
            if own:
                return own[0], True
            if failed:
                raise failed[0] from None
            cause = error.__cause__ or error
            raise LockUnavailable(self._table_name, type(cause).__name__) from None
        return (own[0], True) if own else (Result.of_rotation(answer), False)


class _NothingReplacedError(Exception):
    """Takes the record away: the version is still there to be replaced."""


class _RemainingTime:
    """What Powertools asks of Lambda's context."""

    def __init__(self, ends_at: float, clock: Callable[[], float]) -> None:
        self._ends_at = ends_at
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - self._clock()) * 1000)
