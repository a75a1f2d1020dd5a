"""CloudWatch metrics: out of log lines in the embedded metric format, and of the messages sent to queues.

As it comes, ministack makes neither. Messages that SNS topics, EventBridge rules, S3 and the OnFailure destinations of
functions send are not counted here.
"""

import argparse
import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs, sqs

Record = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

# Functions, requests and alarms are on different threads, and ministack replaces its lists as their points age.
lock = threading.RLock()


def patch(_options: argparse.Namespace) -> None:
    """Extract metrics of log events, and count messages."""
    cloudwatch_logs._put_log_events = _with_extraction(cloudwatch_logs._put_log_events)
    cloudwatch.record_metric = _with_lock(cloudwatch.record_metric)
    cloudwatch.handle_request = _with_lock_of_request(cloudwatch.handle_request)
    sqs._HANDLERS["SendMessage"] = sqs._act_send_message = _with_count(sqs._act_send_message)


def embedded_metrics(message: str) -> Iterator[Record]:
    """Yield the metrics of a log event, as ministack's `_store_datum` takes them; other messages have none.

    CloudWatch user guide, "Specification: Embedded metric format".
    """
    root: Any = json.loads(message) if message.startswith("{") else {}
    for directive in root.get("_aws", {}).get("CloudWatchMetrics", []):
        for names in directive["Dimensions"]:
            for metric in directive["Metrics"]:
                value = root[metric["Name"]]
                yield {
                    "namespace": directive["Namespace"],
                    "name": metric["Name"],
                    "dims": {name: root[name] for name in names},
                    "ts": root["_aws"]["Timestamp"] / 1000,
                    "unit": metric.get("Unit", "None"),
                    "values": value if isinstance(value, list) else [value],
                    **dict.fromkeys(("value", "counts", "stat_values")),
                }


def _with_extraction(put_log_events: Callable[[Record], Response]) -> Callable[[Record], Response]:
    def put(request: Record) -> Response:
        response = put_log_events(request)
        for event in request["logEvents"] if response[0] == 200 else ():
            try:
                found = list(embedded_metrics(event["message"]))
            except (KeyError, ValueError) as error:
                logging.warning("A log event of %s is no valid EMF: %r", request["logGroupName"], error)
                continue
            with lock:
                for datum in found:
                    cloudwatch._store_datum(**datum)
        return response

    return put


def _with_lock(record: Callable[..., None]) -> Callable[..., None]:
    def locked(*arguments: Any, **options: Any) -> None:
        with lock:
            record(*arguments, **options)

    return locked


def _with_lock_of_request(handle_request: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(*arguments: Any) -> Any:
        # The handler awaits nothing, so that no other task runs while the lock is held.
        with lock:
            return await handle_request(*arguments)

    return handle


def _with_count(send_message: Callable[[Record, str], Record]) -> Callable[[Record, str], Record]:
    def send(request: Record, url: str) -> Record:
        answer = send_message(request, url)
        queue = {"QueueName": sqs._get_q(request.get("QueueUrl", url))["name"]}
        cloudwatch.record_metric("AWS/SQS", "NumberOfMessagesSent", 1.0, "Count", queue)
        return answer

    return send
