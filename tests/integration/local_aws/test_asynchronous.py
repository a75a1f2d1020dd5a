"""Asynchronous invocation: retries and the OnFailure destination, as the Lambda developer guide describes them."""

import pytest

from local_aws.inline_function import create_function
from local_aws.listener import Listener

pytest_plugins = ["local_aws.fixtures"]


@pytest.mark.parametrize("retries", [0, 2])
def test_a_failed_event_is_tried_again_and_then_sent_to_on_failure(local_aws, retries):
    listener, client = Listener(local_aws), local_aws.client("lambda")
    allowed = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": listener.arn}
    source = "def handler(event, context): raise ValueError(event)"
    name = create_function(local_aws, source, statements=[allowed])
    destination = {"OnFailure": {"Destination": listener.arn}}
    settings = {"FunctionName": name, "MaximumRetryAttempts": retries}
    client.put_function_event_invoke_config(**settings, DestinationConfig=destination)
    answer = client.invoke(FunctionName=name, InvocationType="Event", Payload='{"some": "event"}')
    assert answer["StatusCode"] == 202
    request_id = answer["ResponseMetadata"]["RequestId"]
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
