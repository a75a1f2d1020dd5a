"""Asynchronous invocation: retries, the age of an event, and OnFailure with a queue.

By itself, ministack counts three attempts whatever happened, and delivers without checking rights. The rules and the
record are those of the Lambda developer guide, "Invoking a function asynchronously" and "Capturing records of Lambda
asynchronous invocations".
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
    on_failure = (settings.get("DestinationConfig") or {}).get("OnFailure") or {}
    if condition != "Success" and on_failure:
        try:
            _deliver(on_failure["Destination"], record["config"], _report(record, event, condition, attempts, result))
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            name = record["config"]["FunctionName"]
            logging.exception("The record of an asynchronous invocation of %s is lost", name)


def _settings(config: Record) -> Record:
    """The EventInvokeConfig of the function."""
    function = lambda_svc._functions.get(config["FunctionName"]) or {}
    configs = function.get("event_invoke_configs") or {}
    return next((configs[name] for name in ("$LATEST", "") if name in configs), {})


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


def _report(record: Record, event: Any, condition: Condition, attempts: int, result: Record) -> Record:
    """The record of a failed invocation, as a destination receives it."""
    config = record["config"]
    version = config.get("Version", "$LATEST")
    return {
        "version": "1.0",
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": REQUEST_ID.get(),
            "functionArn": f"{config['FunctionArn']}:{version}",
            "condition": condition,
            "approximateInvokeCount": attempts,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": version, "functionError": "Unhandled"},
        "responsePayload": result.get("body"),
    }


def _deliver(queue_arn: str, config: Record, body: Record) -> None:
    """Send to a queue as the function's role."""
    client = role_client("sqs", config["Role"], config["FunctionName"])
    client.send_message(QueueUrl=queue_url(queue_arn), MessageBody=json.dumps(body))
