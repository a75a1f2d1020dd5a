"""A permanent refusal is remembered for all instances of both functions, against moto in process."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError

from doubles.unreachable import unreachable
from rotator.adapters.circuit_breaker import DynamoDBCircuitBreaker
from rotator.adapters.lock_table import lock_table_client
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsRefused,
    RejectedTokenAgain,
    TokenRejectedByProbe,
    TokenUnavailable,
)

URL = "https://api.eu.cloud.talend.com/security/oauth/token"
SECRET = "talend-token/default/credentials"
REFUSED = CredentialsRefused(URL, SECRET, "answered 401", "Check.", status=401)


@pytest.fixture
def breakers(lock_table):
    """The breaker as two functions have it."""
    return [DynamoDBCircuitBreaker(lock_table_client(boto3.session.Session()), lock_table) for _ in range(2)]


def refuse():
    raise REFUSED


def never():
    raise AssertionError("not to be called")


def call(breaker, ask=lambda: "token", circuit="default/credentials-1"):
    return breaker.call(circuit, SECRET, ask)


def let_a_minute_pass(seconds=61):
    """Date the refusal back, as no clock is ours to move."""
    table = boto3.resource("dynamodb").Table("locks")
    for item in table.scan()["Items"]:
        if "opened_at" in item:
            table.put_item(Item=item | {"opened_at": item["opened_at"] - seconds})


def test_a_refusal_is_raised_and_then_remembered_by_all(breakers):
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    for breaker in breakers:
        with pytest.raises(CircuitOpen, match=rf"no token was requested.*60 s.*{SECRET}"):
            call(breaker, never)


def test_other_credentials_and_other_accounts_are_not_held_back(breakers):
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    assert call(breakers[1], circuit="default/credentials-2") == "token"
    assert call(breakers[1], circuit="finance/credentials-1") == "token"


def test_after_a_minute_one_success_lets_all_callers_through(breakers):
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    let_a_minute_pass(seconds=50)
    with pytest.raises(CircuitOpen):
        call(breakers[1], never)
    let_a_minute_pass(seconds=11)
    assert call(breakers[0]) == "token"
    # In another thread, as whoever tries is known by its own.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(call, breakers[1]).result() == "token"


def test_after_a_minute_one_failure_holds_all_callers_back(breakers):
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    let_a_minute_pass()
    with pytest.raises(CredentialsRefused):
        call(breakers[1], refuse)
    with pytest.raises(CircuitOpen):
        call(breakers[0], never)


def test_closing_it_lets_all_callers_through_at_once(breakers):
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    breakers[1].close("default/credentials-1")
    assert call(breakers[0]) == "token"


def test_a_refusal_just_after_it_was_closed_is_noticed(breakers):
    breakers[1].close("default/credentials-1")
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    with pytest.raises(CircuitOpen):
        call(breakers[1], never)


@pytest.mark.parametrize(
    "error", [RejectedTokenAgain(URL, SECRET), TokenRejectedByProbe(URL, SECRET, "https://api.example/users")]
)
def test_an_unusable_token_is_remembered_too(breakers, error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        call(breakers[0], fail)
    with pytest.raises(CircuitOpen):
        call(breakers[1], never)


@pytest.mark.parametrize(
    "error", [ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem"), KeyError("x"), TypeError("x")]
)
def test_a_table_that_cannot_be_written_lets_the_call_through(lock_table, error):
    client = lock_table_client(boto3.session.Session())
    breaker = DynamoDBCircuitBreaker(client, lock_table)
    with pytest.raises(CredentialsRefused):
        call(breaker, refuse)
    let_a_minute_pass()

    def deny(**_):
        raise error

    client.put_item = deny
    assert call(breaker) == "token"


def test_a_table_that_cannot_be_reached_lets_every_call_through():
    breaker = DynamoDBCircuitBreaker(unreachable("dynamodb"), "locks")
    with pytest.raises(CredentialsRefused):
        call(breaker, refuse)
    assert call(breaker) == "token"
    breaker.close("default/credentials-1")


def test_a_passing_failure_is_not_remembered(breakers):
    def fail():
        raise TokenUnavailable(URL, SECRET, "answered 503", "Wait.")

    with pytest.raises(TokenUnavailable):
        call(breakers[0], fail)
    assert call(breakers[1]) == "token"


def test_without_the_table_every_call_goes_through(breakers):
    boto3.client("dynamodb").delete_table(TableName="locks")
    assert call(breakers[0]) == "token"
    with pytest.raises(CredentialsRefused):
        call(breakers[0], refuse)
    breakers[0].close("default/credentials-1")


def test_a_strange_answer_does_not_keep_it_from_closing(breakers, monkeypatch):
    def update_item(**_):
        raise AttributeError("'NoneType' object has no attribute 'get'")

    monkeypatch.setattr(breakers[0]._store.client, "update_item", update_item)
    breakers[0].close("default/credentials-1")
