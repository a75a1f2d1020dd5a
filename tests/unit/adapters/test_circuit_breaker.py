"""A permanent refusal is remembered for all instances of both functions (against moto in process)."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError

from rotator.adapters.circuit_breaker import DynamoDBCircuitBreaker
from rotator.adapters.lock_table import lock_table_client
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsRefused,
    RejectedTokenAgain,
    TokenRejectedByProbe,
    TokenUnavailable,
)
from unit.conftest import unreachable

URL = "https://api.eu.cloud.talend.com/security/oauth/token"
SECRET = "talend-token/default/credentials"
REFUSED = CredentialsRefused(URL, SECRET, "answered 401", "Check.", status=401)


@pytest.fixture
def breakers(lock_table, sdk):
    """The breakers of two functions."""
    return [DynamoDBCircuitBreaker(lock_table_client(sdk), lock_table) for _ in range(2)]


def call(breaker, error=None, circuit="default/credentials-1"):
    """Make a call through the breaker, which fails with the error or returns a token."""

    def request():
        if error:
            raise error
        return "token"

    return breaker.call(circuit, SECRET, request)


def refuse(breaker, error=REFUSED):
    with pytest.raises(type(error)):
        call(breaker, error)


def is_open(breaker):
    with pytest.raises(CircuitOpen, match=rf"no token was requested.*60 s.*{SECRET}"):
        call(breaker, AssertionError("not to be called"))
    return True


def let_pass(seconds):
    """Backdate the refusal, because the tests cannot move Powertools' clock."""
    table = boto3.resource("dynamodb").Table("locks")
    for item in table.scan()["Items"]:
        if "opened_at" in item:
            table.put_item(Item=item | {"opened_at": item["opened_at"] - seconds})


@pytest.mark.parametrize(
    "error", [REFUSED, RejectedTokenAgain(URL, SECRET), TokenRejectedByProbe(URL, SECRET, "https://api.example/users")]
)
def test_a_refusal_is_raised_and_then_remembered_by_all(breakers, error):
    refuse(breakers[0], error)
    assert [is_open(breaker) for breaker in breakers] == [True, True]
    # Other credentials and other accounts are not held back.
    assert call(breakers[1], circuit="default/credentials-2") == "token"
    assert call(breakers[1], circuit="finance/credentials-1") == "token"


def test_after_a_minute_one_success_lets_all_callers_through(breakers):
    refuse(breakers[0])
    let_pass(50)
    assert is_open(breakers[1])
    let_pass(11)
    assert call(breakers[0]) == "token"
    # In another thread, because Powertools identifies the caller that tries again by its thread.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(call, breakers[1]).result() == "token"


def test_after_a_minute_one_failure_holds_all_callers_back(breakers):
    refuse(breakers[0])
    let_pass(61)
    refuse(breakers[1])
    assert is_open(breakers[0])


def test_closing_it_lets_all_callers_through_until_the_next_refusal(breakers):
    refuse(breakers[0])
    breakers[1].close("default/credentials-1")
    assert call(breakers[0]) == "token"
    refuse(breakers[0])
    assert is_open(breakers[1])


def test_a_temporary_failure_is_not_remembered(breakers):
    refuse(breakers[0], TokenUnavailable(URL, SECRET, "answered 503", "Wait."))
    assert call(breakers[1]) == "token"


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem"),
        *(KeyError("x"), TypeError("x"), AttributeError("'NoneType' object has no attribute 'get'")),
    ],
)
def test_a_table_that_cannot_be_written_lets_calls_through_and_closes(breakers, monkeypatch, error):
    def deny(**_):
        raise error

    refuse(breakers[0])
    let_pass(61)
    for operation in ("put_item", "update_item"):
        monkeypatch.setattr(breakers[0]._store.client, operation, deny)
    assert call(breakers[0]) == "token"
    breakers[0].close("default/credentials-1")


def missing(sdk):
    sdk.client("dynamodb").delete_table(TableName="locks")
    return lock_table_client(sdk)


@pytest.mark.usefixtures("lock_table")
@pytest.mark.parametrize("broken", [missing, lambda sdk: unreachable(sdk, "dynamodb")], ids=["missing", "unreachable"])
def test_without_the_table_every_call_goes_through(sdk, broken):
    breaker = DynamoDBCircuitBreaker(broken(sdk), "locks")
    refuse(breaker)
    assert call(breaker) == "token"
    breaker.close("default/credentials-1")
