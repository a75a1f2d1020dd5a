"""The event about a publication, against moto in process and with answers as AWS documents them."""

import json

import pytest
from botocore.stub import Stubber

from doubles.unreachable import unreachable
from rotator.adapters.event_bus import EventBridgeBus, event_bus_client
from rotator.domain.errors import EventNotSent
from rotator.domain.event import Trigger
from rotator.domain.result import Outcome, Result
from rotator.ports import EVENT_SECONDS

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:talend/default/token-a1b2c3"
RESULT = Result(Outcome.ROTATED, "default", Trigger.WATCHDOG, "v2", 1_795_474_789, secret_arn=ARN)
DETAIL = {
    "account": "default",
    "secret_arn": ARN,
    "version_id": "v2",
    "expires_at": 1_795_474_789,
    "trigger": "watchdog",
}


@pytest.fixture
def client(aws):  # noqa: ARG001
    return event_bus_client()


def answering(client, answer):
    """A bus that answers the documented request only."""
    stubber = Stubber(client)
    entry = {
        "Source": "talend-token",
        "DetailType": "Talend Token Rotated",
        "Resources": [ARN],
        "Detail": json.dumps(DETAIL),
    }
    stubber.add_response("put_events", answer, {"Entries": [entry]})
    stubber.activate()
    return EventBridgeBus(client)


def test_a_publication_is_told_to_the_default_bus_in_the_documented_form(client):
    bus = answering(client, {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]})
    bus.rotated(RESULT)


def test_moto_takes_the_event_as_well(client):
    EventBridgeBus(client).rotated(RESULT)


def test_an_event_that_the_bus_did_not_take_is_an_error_although_the_request_succeeded(client):
    answer = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "Slow down."}]}
    with pytest.raises(EventNotSent, match=r"not sent \(ThrottlingException\).*events:PutEvents") as caught:
        answering(client, answer).rotated(RESULT)
    assert caught.value.code == "ThrottlingException"


def test_an_event_that_the_bus_did_not_take_without_saying_why_is_an_error_too(client):
    with pytest.raises(EventNotSent, match=r"not sent \(no code\)"):
        answering(client, {"FailedEntryCount": 1, "Entries": [{}]}).rotated(RESULT)


def test_a_refusal_is_named_by_its_code(client):
    stubber = Stubber(client)
    stubber.add_client_error("put_events", "AccessDeniedException")
    stubber.activate()
    with pytest.raises(EventNotSent, match="AccessDeniedException"):
        EventBridgeBus(client).rotated(RESULT)


def test_a_bus_that_cannot_be_reached_is_named_by_the_clients_error():
    with pytest.raises(EventNotSent, match="EndpointConnectionError"):
        EventBridgeBus(unreachable("events")).rotated(RESULT)


def test_the_client_gives_up_within_the_time_that_an_event_may_take(client):
    config = client.meta.config
    assert config.retries["total_max_attempts"] == 1
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.connect_timeout + config.read_timeout < EVENT_SECONDS
