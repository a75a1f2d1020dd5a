"""The lock that both functions share: Powertools Idempotency on a table, against moto in process."""

import time

import boto3
import pytest
from aws_lambda_powertools.utilities.idempotency.base import IdempotencyHandler
from aws_lambda_powertools.utilities.idempotency.exceptions import IdempotencyInconsistentStateError
from botocore.stub import Stubber

from doubles.unreachable import unreachable
from rotator.adapters.lock_table import IdempotentSingleFlight, lock_table_client
from rotator.domain.errors import LockUnavailable, ReplacementInProgress, TokenUnavailable
from rotator.domain.event import Trigger
from rotator.domain.result import Outcome, Result

RESULT = Result(Outcome.ROTATED, "default", Trigger.SCHEDULE, "v2", 1_795_474_789)


@pytest.fixture
def flights(lock_table):
    """The lock as two functions have it."""
    return [IdempotentSingleFlight(lock_table_client(), lock_table) for _ in range(2)]


def once(flight, replace=lambda: RESULT, version="v1", account="default", seconds=30.0):
    return flight.once(account, version, time.time() + seconds, replace)


def never():
    raise AssertionError("not to be called")


def drop_table():
    boto3.client("dynamodb").delete_table(TableName="locks")


def test_the_client_gives_up_soon(aws):  # noqa: ARG001
    config = lock_table_client().meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    # A second attempt at a lock whose first answer was lost would find it taken.
    assert config.retries["total_max_attempts"] == 1


def test_the_first_caller_replaces_and_the_next_gets_its_result(flights):
    assert once(flights[0]) == (RESULT, True)
    assert once(flights[1], never) == (RESULT, False)


@pytest.mark.parametrize("outcome", [Outcome.UNCHANGED, Outcome.BUDGET_EXHAUSTED])
def test_a_run_that_replaced_nothing_leaves_the_version_to_the_next(flights, outcome):
    nothing = Result(outcome, "default", Trigger.SCHEDULE)
    assert once(flights[0], lambda: nothing) == (nothing, True)
    assert once(flights[1]) == (RESULT, True)


def test_a_record_that_expires_while_it_is_read_is_no_lock(flights, monkeypatch):
    def inconsistent(*_, **__):
        raise IdempotencyInconsistentStateError

    monkeypatch.setattr(IdempotencyHandler, "_process_idempotency", inconsistent)
    with pytest.raises(LockUnavailable, match="IdempotencyInconsistentStateError"):
        once(flights[0], never)


def test_who_comes_meanwhile_is_told_so_at_once(flights):
    def replace():
        with pytest.raises(ReplacementInProgress):
            once(flights[1], never)
        return RESULT

    assert once(flights[0], replace) == (RESULT, True)


@pytest.mark.parametrize("other", [{"version": "v2"}, {"account": "finance"}])
def test_another_version_and_another_account_have_locks_of_their_own(flights, other):
    once(flights[0])
    another = Result(Outcome.ROTATED, "default", Trigger.MANUAL)
    assert once(flights[1], lambda: another, **other) == (another, True)


def test_the_first_token_of_an_account_has_a_lock_too(flights):
    once(flights[0], version="")
    assert once(flights[1], never, version="") == (RESULT, False)


def test_a_run_that_failed_blocks_nobody_and_its_error_is_raised(flights):
    error = TokenUnavailable("url", "answered 503", "Wait.")

    def fail():
        raise error

    with pytest.raises(TokenUnavailable) as caught:
        once(flights[0], fail)
    assert caught.value is error
    assert once(flights[1]) == (RESULT, True)


def test_a_run_that_died_blocks_nobody_longer_than_its_own_time(flights):
    class Killed(BaseException):
        pass

    def die():
        raise Killed

    with pytest.raises(Killed):
        once(flights[0], die, seconds=30)
    with pytest.raises(ReplacementInProgress):
        once(flights[1], never)
    # The time that it had is over.
    with pytest.raises(Killed):
        once(flights[0], die, version="v3", seconds=-1)
    assert once(flights[1], version="v3") == (RESULT, True)


def test_a_version_is_blocked_until_the_time_of_the_run_that_replaces_it_is_over(flights):
    def replace():
        items.extend(boto3.client("dynamodb").scan(TableName="locks")["Items"])
        return RESULT

    items = []
    once(flights[0], replace, seconds=1_000_000)
    ends_at = int(items[0]["in_progress_expiration"]["N"]) / 1000
    assert ends_at == pytest.approx(time.time() + 1_000_000, abs=60)


def test_a_table_that_is_gone_is_named(flights):
    drop_table()
    with pytest.raises(LockUnavailable, match=r"lock table 'locks'.*ResourceNotFoundException") as caught:
        once(flights[0], never)
    assert caught.value.table == "locks"


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "AccessDeniedException", "InternalServerError"]
)
def test_a_table_that_refuses_is_named_before_anything_is_replaced(lock_table, code):
    client = lock_table_client()
    stubber = Stubber(client)
    stubber.add_client_error("put_item", code)
    stubber.activate()
    with pytest.raises(LockUnavailable, match="lock table 'locks'"):
        once(IdempotentSingleFlight(client, lock_table), never)


def test_a_table_that_cannot_be_reached_is_named():
    with pytest.raises(LockUnavailable, match="EndpointConnectionError"):
        once(IdempotentSingleFlight(unreachable("dynamodb"), "locks"), never)


def test_a_table_that_goes_meanwhile_does_not_take_the_result_along(flights):
    def replace():
        drop_table()
        return RESULT

    assert once(flights[0], replace) == (RESULT, True)


def test_a_table_that_goes_meanwhile_does_not_take_the_error_along(flights):
    def fail():
        drop_table()
        raise TokenUnavailable("url", "answered 503", "Wait.")

    with pytest.raises(TokenUnavailable):
        once(flights[0], fail)


def test_the_record_holds_what_the_answer_holds_and_no_more(flights):
    once(flights[0])
    (item,) = boto3.client("dynamodb").scan(TableName="locks")["Items"]
    assert item.keys() == {"id", "expiration", "in_progress_expiration", "status", "data"}
    assert item["id"]["S"].startswith("talend-token#")
    assert 55 < int(item["expiration"]["N"]) - time.time() <= 60
