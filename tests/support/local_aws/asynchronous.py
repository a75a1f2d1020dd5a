"""Asynchronous invocation: retries, the age of an event, destinations and dead-letter queues.

As it comes, ministack sends a destination's record to a dead-letter queue, never delivers OnSuccess, counts three
attempts whatever happened, and delivers with nobody's rights. The rules and the record are those of the Lambda
developer guide, "Invoking a function asynchronously" and "Capturing records of Lambda asynchronous invocations".
"""

import contextvars
import datetime
import json
import logging
import os
import threading
import time
import uuid
from typing import Any, Literal

import botocore.exceptions
from ministack.services import lambda_svc

from local_aws.request_context import REQUEST_ID
from local_aws.role_client import queue_url, role_client

Record = dict[str, Any]
Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded"]

DEFAULT_RETRIES = 2
DEFAULT_EVENT_AGE_SECONDS = 6 * 60 * 60
# A throttled event has not been tried: AWS goes back to it after one second at first.
THROTTLED_PAUSE_SECONDS = 1.0


def invoke(record: Record, event: Any) -> None:
    """Run the function in the background, again if it fails; replaces `lambda_svc.invoke_async_with_retry`."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_run, record, event), daemon=True, name="asynchronous").start()


def _run(record: Record, event: Any) -> None:
    # All attempts share the id that the caller was given.
    REQUEST_ID.set(REQUEST_ID.get() or str(uuid.uuid4()))
    settings = lambda_svc._run_with_function_config_scope(record, _settings, record["config"])
    condition, attempts, result = _attempt(record, event, settings)
    destinations = settings.get("DestinationConfig") or {}
    kind = "OnSuccess" if condition == "Success" else "OnFailure"
    destination = (destinations.get(kind) or {}).get("Destination")
    dead_letter_queue = (record["config"].get("DeadLetterConfig") or {}).get("TargetArn")
    try:
        if destination:
            _deliver(destination, record["config"], _destination_record(record, event, condition, attempts, result), {})
        if dead_letter_queue and condition != "Success":
            _deliver(dead_letter_queue, record["config"], event, _dead_letter_attributes(result))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        logging.exception("The record of an asynchronous invocation of %s is lost", record["config"]["FunctionName"])


def _settings(config: Record) -> Record:
    """The EventInvokeConfig of the version or alias that was invoked."""
    function = lambda_svc._functions.get(config["FunctionName"]) or {}
    qualifier = config["FunctionArn"].split(":")[7:]
    configs = function.get("event_invoke_configs") or {}
    names = qualifier or ["$LATEST", ""]
    return next((configs[name] for name in names if name in configs), {})


def _attempt(record: Record, event: Any, settings: Record) -> tuple[Condition, int, Record]:
    """Run the function until it succeeds or no attempt is left: how that ended, after how many attempts, with what."""
    # AWS waits one minute before the first retry and two before the second; the server may have a shorter base.
    pause = float(os.environ["LAMBDA_ASYNC_RETRY_BASE_SECONDS"])
    retries = settings.get("MaximumRetryAttempts", DEFAULT_RETRIES)
    expires = time.monotonic() + settings.get("MaximumEventAgeInSeconds", DEFAULT_EVENT_AGE_SECONDS)
    attempts = 0
    while True:
        result: Record = lambda_svc._execute_function_with_config_scope(record, event)
        throttled = bool(result.get("throttle"))
        attempts += not throttled
        if not result.get("error"):
            return "Success", attempts, result
        if not throttled and attempts > retries:
            return "RetriesExhausted", attempts, result
        wait = THROTTLED_PAUSE_SECONDS if throttled else pause * 2 ** (attempts - 1)
        if time.monotonic() + wait > expires:
            return "EventAgeExceeded", attempts, result
        time.sleep(wait)


def _destination_record(record: Record, event: Any, condition: Condition, attempts: int, result: Record) -> Record:
    config = record["config"]
    version = config.get("Version", "$LATEST")
    function_arn = config["FunctionArn"]
    response_context = {"statusCode": 200, "executedVersion": version}
    if condition != "Success":
        response_context["functionError"] = "Unhandled"
    return {
        "version": "1.0",
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": REQUEST_ID.get(),
            "functionArn": function_arn if len(function_arn.split(":")) > 7 else f"{function_arn}:{version}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": response_context,
        "responsePayload": result.get("body"),
    }


def _dead_letter_attributes(result: Record) -> Record:
    message = (result.get("body") or {}).get("errorMessage") or ""
    values = {
        "RequestID": ("String", REQUEST_ID.get()),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", message),
    }
    return {name: {"DataType": kind, "StringValue": value[:1024]} for name, (kind, value) in values.items() if value}


def _deliver(target_arn: str, config: Record, body: Any, attributes: Record) -> None:
    """Send to a queue, a topic, a bus or a function as the function's role."""
    service = target_arn.split(":")[2]
    client = role_client(service, config["Role"], config["FunctionName"])
    text = json.dumps(body)
    if service == "sqs":
        client.send_message(QueueUrl=queue_url(target_arn), MessageBody=text, MessageAttributes=attributes)
    elif service == "sns":
        client.publish(TopicArn=target_arn, Message=text, MessageAttributes=attributes)
    elif service == "lambda":
        client.invoke(FunctionName=target_arn, InvocationType="Event", Payload=text)
    elif service == "events":
        kind = "Success" if body["requestContext"]["condition"] == "Success" else "Failure"
        entry = {"Source": "lambda", "DetailType": f"Lambda Function Invocation Result - {kind}", "Detail": text}
        client.put_events(Entries=[entry | {"EventBusName": target_arn, "Resources": [config["FunctionArn"]]}])
    else:
        logging.error("No delivery to %s: a destination of %s cannot be served here", target_arn, service)
