"""The lock, which is a DynamoDB table used through the persistence layer of Powertools Idempotency."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyItemAlreadyExistsError
from botocore.config import Config

from rotator.domain.errors import LockUnavailable, ReplacementInProgress
from rotator.domain.invocation import Invocation
from rotator.domain.result import Outcome, Result

if TYPE_CHECKING:
    import boto3
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord
    from mypy_boto3_dynamodb import DynamoDBClient

# Both functions use this prefix, so that they share the lock.
_KEY_PREFIX = "talend-token"
# Longer than any read is stale, so that a run that still sees the replaced version is answered from the record. Shorter
# than the 48 seconds for which a run with new credentials tries again, so that it succeeds after a roll back.
_RECORD_SECONDS = 30
_REPLACED = (Outcome.ROTATED, Outcome.SUPERSEDED)
# A record may expire after it has blocked the write and before it is examined, so the write is repeated.
_ATTEMPTS = 3


def lock_table_client(session: boto3.session.Session) -> DynamoDBClient:
    """Return a client that gives up soon, because a rotation continues without the lock.

    A request is repeated once, because a warm function's connection may have been idle for 25 minutes, and a NAT
    gateway silently drops idle connections after 350 seconds [VPC user guide, troubleshoot NAT gateways].
    """
    config = Config(connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2})
    return session.client("dynamodb", config=config)


class LockTable:
    """See `rotator.ports.Lock`."""

    def __init__(self, client: DynamoDBClient, table_name: str, clock: Callable[[], float] = time.time) -> None:
        self._table_name = table_name
        self._clock = clock
        self._store = _OwnRecordsAreRecognized(table_name=table_name, boto3_client=client)
        self._store.configure(IdempotencyConfig(expires_after_seconds=_RECORD_SECONDS), key_prefix=_KEY_PREFIX)

    def acquire(self, invocation: Invocation, version_id: str) -> Result | None:
        # If a run crashes, the lock expires when Lambda would have stopped it.
        remaining = int((invocation.ends_at - self._clock()) * 1000)
        for _ in range(_ATTEMPTS):
            try:
                self._store.save_inprogress(_key(invocation, version_id), remaining)
                return None
            except IdempotencyItemAlreadyExistsError as error:
                record = error.old_data_record
            except Exception as error:  # noqa: BLE001 (rotations must not depend on the table)
                raise LockUnavailable(invocation.account, self._table_name, type(error).__name__) from None
            if record and record.status == "COMPLETED":
                return self._superseded(invocation, record)
            if record and not self._is_over(record):
                break
        raise ReplacementInProgress

    def release(self, invocation: Invocation, version_id: str, result: Result | None) -> None:
        key = _key(invocation, version_id)
        # A failure of the table does not change the run's result, and the record expires by itself.
        with suppress(Exception):
            if result is not None and result.outcome in _REPLACED:
                self._store.save_success(key, {"version_id": result.version_id, "expires_at": result.expires_at})
            else:
                self._store.delete_record(key, _NothingReplacedError())

    def _superseded(self, invocation: Invocation, record: DataRecord) -> Result:
        with suppress(KeyError, TypeError, ValueError):
            found = record.response_json_as_dict() or {}
            return Result(Outcome.SUPERSEDED, invocation, found["version_id"], found["expires_at"])
        raise LockUnavailable(invocation.account, self._table_name, "UnexpectedAnswer")

    def _is_over(self, record: DataRecord) -> bool:
        """Return True if Lambda must have stopped the run that wrote the record."""
        return self._clock() * 1000 > (record.in_progress_expiry_timestamp or 0)


def _key(invocation: Invocation, version_id: str) -> dict[str, str]:
    return {"account": invocation.account, "version_id": version_id}


class _NothingReplacedError(Exception):
    """The reason that Powertools logs when a record is deleted because the version was not replaced."""


class _OwnRecordsAreRecognized(DynamoDBPersistenceLayer):
    """Recognizes its own record if the SDK repeats a write whose answer was lost.

    A random fraction of a millisecond in the record's expiry identifies the run that wrote it. The record of a run in
    progress lasts as long as the run may, instead of as long as that of a replacement.
    """

    def _put_record(self, data_record: DataRecord) -> None:
        expiry = (data_record.in_progress_expiry_timestamp or 0) + Decimal(random.randrange(10**9)).scaleb(-9)  # noqa: S311
        data_record.expiry_timestamp = math.ceil(expiry / 1000)
        data_record.in_progress_expiry_timestamp = expiry  # type: ignore[assignment]
        try:
            super()._put_record(data_record)
        except IdempotencyItemAlreadyExistsError as error:
            if error.old_data_record is None or error.old_data_record.in_progress_expiry_timestamp != expiry:
                raise
