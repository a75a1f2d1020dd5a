"""Amazon EventBridge's default bus, by boto3."""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rotator.domain.errors import EventNotSent
from rotator.domain.result import Result
from rotator.ports import EVENT_SECONDS


def event_bus_client() -> Any:
    """A client that gives up before `EVENT_SECONDS`: an event is not worth a token's time, and is not tried again."""
    config = Config(connect_timeout=1, read_timeout=EVENT_SECONDS - 2, retries={"total_max_attempts": 1})
    return boto3.client("events", config=config)


class EventBridgeBus:
    """See `rotator.ports.EventBus`."""

    # boto3's types for EventBridge are not installed: one call does not need them.
    def __init__(self, client: Any) -> None:
        self._client = client

    def rotated(self, result: Result) -> None:
        entry = {
            "Source": "talend-token",
            "DetailType": "Talend Token Rotated",
            "Resources": [result.secret_arn],
            "Detail": json.dumps(result.as_event()),
        }
        try:
            answer = self._client.put_events(Entries=[entry])
        except ClientError as error:
            raise EventNotSent(error.response["Error"]["Code"]) from None
        except BotoCoreError as error:
            raise EventNotSent(type(error).__name__) from None
        # PutEvents answers 200 even if it took none [API PutEvents].
        if answer["FailedEntryCount"]:
            raise EventNotSent(answer["Entries"][0].get("ErrorCode", "no code"))
