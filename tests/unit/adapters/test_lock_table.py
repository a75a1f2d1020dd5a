"""Both functions share the lock, a table that Powertools Idempotency uses (against moto in process)."""

import json
import time
from contextlib import nullcontext

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from rotator.adapters.lock_table import LockTable, lock_table_client
from rotator.domain.errors import LockUnavailable, ReplacementInProgress
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.result import Outcome, Result


def invocation(seconds=30.0, account="default"):
    return Invocation(Trigger.SCHEDULE, time.time() + seconds, account)


def result(outcome=Outcome.ROTATED):
    return Result(outcome, invocation(), "v2", 1_795_474_789)


@pytest.fixture
def locks(lock_table, sdk):
    """The locks of two functions."""
    return [LockTable(lock_table_client(sdk), lock_table) for _ in range(2)]


def items():
    return boto3.client("dynamodb").scan(TableName="locks")["Items"]


def test_the_client_gives_up_soon_and_repeats_a_call_once(sdk):
    client = lock_table_client(sdk)
    assert LockTable(client, "locks")._store.client is client
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}


@pytest.mark.parametrize("outcome", [Outcome.ROTATED, Outcome.SUPERSEDED])
def test_after_a_replacement_the_next_run_is_superseded(locks, outcome):
    assert locks[0].acquire(invocation(), "v1") is None
    locks[0].release(invocation(), "v1", result(outcome))
    late = invocation()
    assert locks[1].acquire(late, "v1") == Result(Outcome.SUPERSEDED, late, "v2", 1_795_474_789)


@pytest.mark.parametrize("ended", [None, result(Outcome.UNCHANGED), result(Outcome.BUDGET_EXHAUSTED)])
def test_a_run_that_failed_or_replaced_nothing_leaves_no_record(locks, ended):
    locks[0].acquire(invocation(), "v1")
    locks[0].release(invocation(), "v1", ended)
    assert items() == []
    assert locks[1].acquire(invocation(), "v1") is None


@pytest.mark.parametrize("other", [{"version": "v2"}, {"account": "finance"}, {"version": ""}])
def test_each_version_of_each_account_has_a_lock_of_its_own(locks, other):
    locks[0].acquire(invocation(), "v1")
    with pytest.raises(ReplacementInProgress):
        locks[1].acquire(invocation(), "v1")
    assert locks[1].acquire(invocation(account=other.get("account", "default")), other.get("version", "v1")) is None


def test_a_run_that_died_blocks_others_until_its_time_is_up(locks):
    locks[0].acquire(invocation(seconds=1_000_000), "v1")
    (item,) = items()
    assert float(item["in_progress_expiration"]["N"]) / 1000 == pytest.approx(time.time() + 1_000_000, abs=60)
    # DynamoDB and Powertools take a record for gone when this has passed.
    assert 0 <= int(item["expiration"]["N"]) - float(item["in_progress_expiration"]["N"]) / 1000 < 1
    with pytest.raises(ReplacementInProgress):
        locks[1].acquire(invocation(), "v1")
    locks[0].acquire(invocation(seconds=-1), "v3")
    assert locks[1].acquire(invocation(), "v3") is None


def test_a_repeated_write_recognizes_its_own_record(locks, monkeypatch):
    """The SDK repeats a request whose answer was lost, but the first request may have written the record."""
    client = locks[0]._store.client
    put_item = client.put_item

    def lose_the_answer(**request):
        put_item(**request)
        return put_item(**request)

    monkeypatch.setattr(client, "put_item", lose_the_answer)
    assert locks[0].acquire(invocation(), "v1") is None
    with pytest.raises(ReplacementInProgress):
        locks[1].acquire(invocation(), "v1")


def test_runs_of_the_same_millisecond_are_distinguished(locks):
    same = invocation()
    for lock in locks:
        lock._clock = lambda: same.ends_at - 30
    assert locks[0].acquire(same, "v1") is None
    with pytest.raises(ReplacementInProgress):
        locks[1].acquire(same, "v1")


@pytest.mark.parametrize(("races", "taken"), [(2, False), (3, True)])
def test_a_record_that_expires_while_it_is_read_is_not_a_lock(locks, monkeypatch, races, taken):
    """The write is attempted three times in total."""
    locks[0].acquire(invocation(seconds=-1), "v1")
    stored = items()[0]
    client = locks[1]._store.client
    put_item, tries = client.put_item, []

    def expire(**request):
        tries.append(1)
        if len(tries) <= races:
            error = {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": stored}
            raise client.exceptions.ConditionalCheckFailedException(error, "PutItem")
        return put_item(**request)

    monkeypatch.setattr(client, "put_item", expire)
    with pytest.raises(ReplacementInProgress) if taken else nullcontext():
        assert locks[1].acquire(invocation(), "v1") is None
    assert len(tries) == 3


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://x"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem"),
        *(KeyError("x"), TypeError("x"), AttributeError("x"), ValueError()),
    ],
)
def test_a_refusal_or_a_strange_answer_is_a_failure_of_the_table(locks, monkeypatch, error):
    def put_item(**_):
        raise error

    monkeypatch.setattr(locks[0]._store.client, "put_item", put_item)
    match = rf"lock table 'locks' failed with {type(error).__name__} for account 'finance'"
    with pytest.raises(LockUnavailable, match=match) as caught:
        locks[0].acquire(invocation(account="finance"), "v1")
    assert (caught.value.table, caught.value.account) == ("locks", "finance")


@pytest.mark.parametrize("stored", ["null", '["x"]', "{", '{"version_id": "v2"}'])
def test_a_record_that_cannot_be_read_is_a_failure_of_the_table(locks, stored):
    locks[0].acquire(invocation(), "v1")
    locks[0].release(invocation(), "v1", result())
    (item,) = items()
    boto3.client("dynamodb").put_item(TableName="locks", Item=item | {"data": {"S": stored}})
    with pytest.raises(LockUnavailable, match="failed with UnexpectedAnswer for"):
        locks[1].acquire(invocation(), "v1")


@pytest.mark.parametrize("ended", [None, result()])
def test_a_release_never_raises(locks, ended):
    locks[0].acquire(invocation(), "v1")
    boto3.client("dynamodb").delete_table(TableName="locks")
    locks[0].release(invocation(), "v1", ended)


def test_the_record_holds_only_version_and_expiry(locks):
    locks[0].acquire(invocation(), "v1")
    locks[0].release(invocation(), "v1", result())
    (item,) = items()
    assert item.keys() == {"id", "expiration", "in_progress_expiration", "status", "data"}
    assert item["id"]["S"].startswith("talend-token#")
    assert json.loads(item["data"]["S"]) == {"version_id": "v2", "expires_at": 1_795_474_789}
    assert 25 < int(item["expiration"]["N"]) - time.time() <= 30
