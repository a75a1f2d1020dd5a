"""What the server remembers beside the values of secrets, as one text: for who looks for secrets where none belong."""

import argparse
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs, dynamodb, eventbridge, sqs

# Log lines, metrics and their dimensions, alarms' history, items, events, messages and so dead letters.
STORES = (
    cloudwatch_logs._log_groups,
    cloudwatch._metrics,
    cloudwatch._alarm_history,
    dynamodb._tables,
    eventbridge._events_log,
    sqs._queues,
)


def mend(_options: argparse.Namespace, routes: dict[str, Callable[[], Any]]) -> None:
    """Add the route `/_local_aws/memory`, whose answer is a string of JSON."""
    routes["/_local_aws/memory"] = memory


def memory() -> str:
    """All of it, of every account and region."""
    return "\n".join(repr(list(store.all_items())) for store in STORES)
