"""A queue that the topics of a local AWS may send to, and what has arrived in it."""

import json
import uuid
from typing import Any

from local_aws import LocalAWS
from local_aws.waiting import eventually


class Listener:
    """A new queue; `arn` is its own."""

    def __init__(self, aws: LocalAWS) -> None:
        self._sqs = aws.client("sqs")
        name = f"listener-{uuid.uuid4().hex[:12]}"
        self.arn = f"arn:aws:sqs:{aws.region}:{aws.account_id}:{name}"
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        self._heard: list[dict[str, Any]] = []
        sender = {"Service": "sns.amazonaws.com"}
        allowed = {"Effect": "Allow", "Principal": sender, "Action": "sqs:SendMessage", "Resource": self.arn}
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": json.dumps({"Statement": [allowed]})})

    def heard(self, number: int) -> list[dict[str, Any]]:
        """Wait until so many messages have arrived since the start; the result is all of them, in order."""

        def arrived() -> list[dict[str, Any]]:
            found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
            self._heard += [json.loads(message["Body"]) for message in found]
            return self._heard if len(self._heard) >= number else []

        return eventually(arrived)
