"""Asynchronous invocation: retries and the OnFailure destination, as the Lambda developer guide describes them."""

import datetime
import json
import uuid
from typing import Any

import pytest

from local_aws import LocalAWS
from local_aws.inline_function import create_function
from local_aws.waiting import eventually

pytest_plugins = ["local_aws.fixtures"]

FAIL = "def handler(event, context):\n    print(context.aws_request_id)\n    raise ValueError(event)"


def create_queue(aws: LocalAWS) -> tuple[str, str]:
    """Create a queue: its URL and its ARN."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:12]}")["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def received(aws: LocalAWS, url: str) -> dict[str, Any]:
    """Wait for one message and take it."""

    def receive() -> list[dict[str, Any]]:
        answer = aws.client("sqs").receive_message(QueueUrl=url, MessageAttributeNames=["All"])
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages

    message = eventually(receive)[0]
    aws.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return message


def may_send(arn: str) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": arn}]


def send_event(aws: LocalAWS, function: str, event: Any) -> str:
    """Invoke without waiting: the id of the request."""
    answer = aws.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event))
    assert answer["StatusCode"] == 202
    return str(answer["ResponseMetadata"]["RequestId"])


def has_run(aws: LocalAWS, function: str, times: int) -> None:
    """Wait until a function has been run so many times."""
    eventually(lambda: [w for w in aws.workers() if w["function"] == function and w["invocations"] == times])


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_a_failed_event_is_tried_again_and_then_sent_to_on_failure(local_aws: LocalAWS, retries: int) -> None:
    url, arn = create_queue(local_aws)
    name = create_function(local_aws, FAIL, statements=may_send(arn))
    local_aws.client("lambda").put_function_event_invoke_config(
        FunctionName=name, MaximumRetryAttempts=retries, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    request_id = send_event(local_aws, name, {"some": "event"})
    record = json.loads(received(local_aws, url)["Body"])
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


def test_an_event_too_old_for_the_next_attempt_is_dropped() -> None:
    with LocalAWS(retry_base_seconds=61) as aws:
        url, arn = create_queue(aws)
        name = create_function(aws, FAIL, statements=may_send(arn))
        aws.client("lambda").put_function_event_invoke_config(
            FunctionName=name, MaximumEventAgeInSeconds=60, DestinationConfig={"OnFailure": {"Destination": arn}}
        )
        send_event(aws, name, {})
        context = json.loads(received(aws, url)["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_a_role_that_may_not_send_loses_the_record(local_aws: LocalAWS) -> None:
    """Two functions fail one after the other into one queue; only what the second one's role may send arrives."""
    url, arn = create_queue(local_aws)
    for statements in ([], may_send(arn)):
        name = create_function(local_aws, FAIL, statements=statements)
        local_aws.client("lambda").put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
        )
        send_event(local_aws, name, {"allowed": bool(statements)})
        has_run(local_aws, name, times=1)
    assert json.loads(received(local_aws, url)["Body"])["requestPayload"] == {"allowed": True}


def test_runs_are_counted_when_they_happen(local_aws: LocalAWS) -> None:
    now = datetime.datetime.now(datetime.UTC)
    name = create_function(local_aws, FAIL)
    send_event(local_aws, name, {})
    has_run(local_aws, name, times=3)

    def total(metric: str) -> float:
        data = local_aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=now - datetime.timedelta(hours=1),
            EndTime=now + datetime.timedelta(hours=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in data))

    eventually(lambda: total("Errors") == 3)
    assert total("Invocations") == 3
