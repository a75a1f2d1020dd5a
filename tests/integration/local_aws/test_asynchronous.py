"""Asynchronous invocation: retries and the OnFailure destination, as the Lambda developer guide describes them."""

import json

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function
from local_aws.listener import Listener
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

FAIL = "def handler(event, context): raise ValueError(event)"


def send_event(aws, listener, event, *, may_send=True, **settings):
    """Send an event to a new function that fails, and return its name and the id of the request."""
    allowed = [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": listener.arn}]
    name = create_function(aws, FAIL, statements=allowed if may_send else [])
    destination = {"OnFailure": {"Destination": listener.arn}}
    client = aws.client("lambda")
    client.put_function_event_invoke_config(FunctionName=name, DestinationConfig=destination, **settings)
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps(event))
    assert answer["StatusCode"] == 202
    return name, answer["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_failed_event_is_tried_again_and_then_sent_to_on_failure(local_aws, retries):
    listener = Listener(local_aws)
    name, request_id = send_event(local_aws, listener, {"some": "event"}, MaximumRetryAttempts=retries)
    (record,) = listener.heard(1)
    function_arn = f"arn:aws:lambda:{local_aws.region}:{local_aws.account_id}:function:{name}:$LATEST"
    assert record.pop("timestamp").endswith("Z")
    assert record["responsePayload"].pop("stackTrace")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": "RetriesExhausted",
            "approximateInvokeCount": retries + 1,
        },
        "requestPayload": {"some": "event"},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {
            "errorType": "ValueError",
            "errorMessage": "{'some': 'event'}",
            "requestId": request_id,
        },
    }


def test_an_event_too_old_for_the_next_attempt_is_dropped():
    with LocalAWS(retry_base_seconds=61) as aws:
        listener = Listener(aws)
        send_event(aws, listener, {}, MaximumEventAgeInSeconds=60)
        (record,) = listener.heard(1)
    context = record["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_a_role_that_may_not_send_loses_the_record(local_aws):
    """Two functions fail one after the other, and only the record that the second one's role may send arrives."""
    listener = Listener(local_aws)
    for may_send in (False, True):
        name, _ = send_event(local_aws, listener, may_send, may_send=may_send, MaximumRetryAttempts=0)
        eventually(lambda name=name: [w for w in local_aws.workers() if w["function"] == name and w["invocations"]])
    assert [record["requestPayload"] for record in listener.heard(1)] == [True]
