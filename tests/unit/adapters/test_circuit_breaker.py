"""A permanent refusal is remembered for all instances of both functions, against moto in process."""

from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from botocore.exceptions import ClientError

from doubles.unreachable import unreachable
from rotator.adapters.circuit_breaker import DynamoDBCircuitBreaker
from rotator.adapters.lock_table import lock_table_client
from rotator.domain.errors import CircuitOpen, RejectedTokenAgain, TokenRefused, TokenRejectedByProbe, TokenUnavailable

URL = "https://api.eu.cloud.talend.com"
REFUSED = TokenRefused(URL, "answered 401", "Check.", status=401)


@pytest.fixture
def breakers(lock_table):
    """The breaker as two functions have it."""
    return [DynamoDBCircuitBreaker(lock_table_client(), lock_table) for _ in range(2)]


def refuse():
    raise REFUSED


def never():
    raise AssertionError("not to be called")


def call(breaker, ask=lambda: "token", circuit="default/credentials-1"):
    return breaker.call(circuit, URL, ask)


def let_a_minute_pass(seconds=61):
    """Date the refusal back, as no clock is ours to move."""
    table = boto3.resource("dynamodb").Table("locks")
    for item in table.scan()["Items"]:
        if "opened_at" in item:
            table.put_item(Item=item | {"opened_at": item["opened_at"] - seconds})


def test_a_refusal_is_raised_and_then_remembered_by_everybody(breakers):
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    for breaker in breakers:
        with pytest.raises(CircuitOpen, match=r"/security/oauth/token was not asked.*60 s"):
            call(breaker, never)


def test_other_credentials_and_other_accounts_are_not_held_back(breakers):
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    assert call(breakers[1], circuit="default/credentials-2") == "token"
    assert call(breakers[1], circuit="finance/credentials-1") == "token"


def test_after_a_minute_one_caller_tries_and_its_success_lets_everybody_through(breakers):
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    let_a_minute_pass(seconds=50)
    with pytest.raises(CircuitOpen):
        call(breakers[1], never)
    let_a_minute_pass(seconds=11)
    assert call(breakers[0]) == "token"
    # In another thread, as whoever tries is known by its own.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(call, breakers[1]).result() == "token"


def test_after_a_minute_one_caller_tries_and_its_failure_holds_everybody_back_again(breakers):
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    let_a_minute_pass()
    with pytest.raises(TokenRefused):
        call(breakers[1], refuse)
    with pytest.raises(CircuitOpen):
        call(breakers[0], never)


def test_closing_it_lets_everybody_through_at_once(breakers):
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    breakers[1].close("default/credentials-1")
    assert call(breakers[0]) == "token"


def test_a_refusal_just_after_it_was_closed_is_noticed_by_who_closed_it(breakers):
    breakers[1].close("default/credentials-1")
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    with pytest.raises(CircuitOpen):
        call(breakers[1], never)


@pytest.mark.parametrize("error", [RejectedTokenAgain(URL), TokenRejectedByProbe(URL, f"{URL}/account/users")])
def test_a_token_of_no_use_is_remembered_too(breakers, error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        call(breakers[0], fail)
    with pytest.raises(CircuitOpen):
        call(breakers[1], never)


def test_a_circuit_inside_another_is_remembered_by_itself(breakers):
    """The pair's breaker inside the account's: another pair may have succeeded."""

    def one_of_two():
        with pytest.raises(TokenRefused):
            call(breakers[0], refuse, "default/credentials-2/pair")
        return call(breakers[0], circuit="default/credentials-1/pair")

    assert call(breakers[0], one_of_two, "default/credentials-2") == "token"
    with pytest.raises(CircuitOpen):
        call(breakers[1], never, "default/credentials-2/pair")
    assert call(breakers[1], circuit="default/credentials-2") == "token"


def test_a_table_that_cannot_be_written_when_a_minute_is_over_lets_the_call_through(lock_table):
    client = lock_table_client()
    breaker = DynamoDBCircuitBreaker(client, lock_table)
    with pytest.raises(TokenRefused):
        call(breaker, refuse)
    let_a_minute_pass()

    def deny(**_):
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutItem")

    client.put_item = deny
    assert call(breaker) == "token"


def test_a_table_that_cannot_be_reached_lets_every_call_through():
    breaker = DynamoDBCircuitBreaker(unreachable("dynamodb"), "locks")
    with pytest.raises(TokenRefused):
        call(breaker, refuse)
    assert call(breaker) == "token"
    breaker.close("default/credentials-1")


def test_a_passing_failure_is_not_remembered(breakers):
    def fail():
        raise TokenUnavailable(URL, "answered 503", "Wait.")

    with pytest.raises(TokenUnavailable):
        call(breakers[0], fail)
    assert call(breakers[1]) == "token"


def test_without_the_table_every_call_goes_through(breakers):
    boto3.client("dynamodb").delete_table(TableName="locks")
    assert call(breakers[0]) == "token"
    with pytest.raises(TokenRefused):
        call(breakers[0], refuse)
    breakers[0].close("default/credentials-1")
