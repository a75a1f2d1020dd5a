"""CloudWatch metrics: out of log lines in the embedded metric format, of queues, and read without mixing dimensions.

As it comes, ministack makes no metric of a log line and none of a queue. Of the messages that are sent to a queue those
of SNS topics, EventBridge rules and S3 are not counted here. A request without dimensions reads the metrics
with dimensions too, and GetMetricData answers oldest first.
"""

import argparse
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import responses
from ministack.services import cloudwatch, cloudwatch_logs, sqs

MINUTE_SECONDS = 60
# What ends the name of a queue's attribute, and the metric that has its value.
QUEUE_METRICS = {
    "": "ApproximateNumberOfMessagesVisible",
    "NotVisible": "ApproximateNumberOfMessagesNotVisible",
    "Delayed": "ApproximateNumberOfMessagesDelayed",
}
SENT = "NumberOfMessagesSent"

Record = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

# Functions, requests and alarms are on different threads, and ministack replaces its lists as their points age.
lock = threading.RLock()


def mend(options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Extract metrics of log events, count messages each minute (of `schedule_speed`), and correct what is read."""
    cloudwatch_logs._put_log_events = _with_extraction(cloudwatch_logs._put_log_events)
    cloudwatch._dims_from_list = _with_exactness(cloudwatch._dims_from_list)
    cloudwatch._get_metric_data = _with_order(cloudwatch._get_metric_data)
    cloudwatch.record_metric = _with_lock(cloudwatch.record_metric)
    cloudwatch.handle_request = _with_lock_of_request(cloudwatch.handle_request)
    sqs._HANDLERS["SendMessage"] = sqs._act_send_message = _with_count(sqs._act_send_message)
    in_every_scope(_count_messages, sqs._queues, MINUTE_SECONDS / options.schedule_speed)


def embedded_metrics(message: str) -> Iterator[Record]:
    """The metrics of a log event, each as ministack's `_store_datum` takes it; a message in another format has none.

    CloudWatch user guide, "Specification: Embedded metric format".
    """
    try:
        root: Any = json.loads(message) if message.startswith("{") else None
    except ValueError:
        return
    metadata = root.get("_aws") if root else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("Timestamp"), int):
        return
    for directive in metadata.get("CloudWatchMetrics", []):
        for names in directive.get("Dimensions", [[]]):
            # A dimension is the string that a member of the root holds.
            dimensions = {name: root[name] for name in names if isinstance(root.get(name), str)}
            if len(dimensions) < len(names):
                continue
            for metric in directive.get("Metrics", []):
                value = root.get(metric["Name"])
                samples = [float(one) for one in (value if isinstance(value, list) else [value]) if _is_number(one)]
                if samples:
                    yield {
                        "namespace": directive["Namespace"],
                        "name": metric["Name"],
                        "dims": dimensions,
                        "ts": metadata["Timestamp"] / 1000,
                        "unit": metric.get("Unit", "None"),
                        "values": samples,
                        **dict.fromkeys(("value", "counts", "stat_values")),
                    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_extraction(put_log_events: Callable[[Record], Response]) -> Callable[[Record], Response]:
    def put(request: Record) -> Response:
        response = put_log_events(request)
        if response[0] == 200:
            for event in request.get("logEvents", []):
                try:
                    found = list(embedded_metrics(event["message"]))
                except (AttributeError, KeyError, TypeError) as error:
                    logging.warning("A log event of %s is no valid EMF: %r", request["logGroupName"], error)
                    continue
                with lock:
                    for datum in found:
                        cloudwatch._store_datum(**datum)
        return response

    return put


class _Dimensions(dict[str, str]):
    """Dimensions that are a set even when there are none: ministack takes an empty dict for "any dimensions"."""

    def __bool__(self) -> bool:
        return True


def _with_exactness(from_list: Callable[[list[Record]], dict[str, str]]) -> Callable[[list[Record]], dict[str, str]]:
    return lambda dimensions: _Dimensions(from_list(dimensions))


def _with_order(get_metric_data: Callable[..., Response]) -> Callable[..., Response]:
    """Newest first, "The default is TimestampDescending" (API, GetMetricData.ScanBy)."""

    def get(parameters: Record, request: Record, is_cbor: bool, is_json: bool = False) -> Response:
        # As JSON the answer can be read here; the Query protocol of old clients is left as it is.
        response = get_metric_data(parameters, request, False, is_cbor or is_json)
        if response[0] != 200 or not (is_cbor or is_json):
            return response
        answer = json.loads(response[2])
        if request.get("ScanBy") != "TimestampAscending":
            for result in answer["MetricDataResults"]:
                result["Timestamps"].reverse()
                result["Values"].reverse()
        if not is_cbor:
            return response[0], response[1], json.dumps(answer).encode()
        results = [cloudwatch._cbor_metric_data_result(result) for result in answer["MetricDataResults"]]
        encoded: Response = cloudwatch._cbor_ok({"MetricDataResults": results})
        return encoded

    return get


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


def in_every_scope(work: Callable[[], None], store: Any, pause_seconds: float) -> None:
    """Do some work again and again, on a thread, for every account and region that has something in a store."""

    def run() -> None:
        while True:
            time.sleep(pause_seconds)
            for account, region in {key[:2] for key, _ in store.all_items()}:
                responses._request_account_id.set(account)
                responses._request_region.set(region)
                try:
                    work()
                except Exception:
                    # What fails once may work the next time, and does not concern other accounts and regions.
                    logging.exception("%s failed in %s of %s.", work, region, account)

    threading.Thread(target=run, daemon=True).start()


def _with_count(send_message: Callable[[Record, str], Record]) -> Callable[[Record, str], Record]:
    def send(request: Record, url: str) -> Record:
        answer = send_message(request, url)
        name = sqs._get_q(request.get("QueueUrl", url))["name"]
        cloudwatch.record_metric("AWS/SQS", SENT, 1.0, "Count", {"QueueName": name})
        return answer

    return send


def _count_messages() -> None:
    for queue in sqs._queues.values():
        # "NumberOfMessagesSent" is zero, not missing, while a queue is in use (SQS developer guide).
        cloudwatch.record_metric("AWS/SQS", SENT, 0.0, "Count", {"QueueName": queue["name"]})
        sqs._refresh_counts(queue)
        for kind, metric in QUEUE_METRICS.items():
            value = float(queue["attributes"][f"ApproximateNumberOfMessages{kind}"])
            cloudwatch.record_metric("AWS/SQS", metric, value, "Count", {"QueueName": queue["name"]})
