"""A queue that the topics and the event rules of a local AWS may send to, and what has arrived in it."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from local_aws import LocalAWS
from local_aws.waiting import eventually


class Listener:
    """A new queue; `name` and `arn` are its own."""

    def __init__(self, aws: LocalAWS) -> None:
        self._sqs = aws.client("sqs")
        self.name = f"listener-{uuid.uuid4().hex[:12]}"
        self.arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{self.name}"
        self._url = self._sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self._heard: list[dict[str, Any]] = []
        senders = {"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}
        allowed = {"Effect": "Allow", "Principal": senders, "Action": "sqs:SendMessage", "Resource": self.arn}
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps({"Statement": [allowed]})})

    def heard(self, number: int, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> list[dict[str, Any]]:
        """Wait until so many wanted messages have arrived since the start; the result is all of them, in order."""

        def arrived() -> list[dict[str, Any]]:
            found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
            self._heard += [json.loads(message["Body"]) for message in found]
            matching = [body for body in self._heard if wanted(body)]
            return matching if len(matching) >= number else []

        return eventually(arrived)
