"""Rows of the matrix: something other than AWS answers in its place, with a status of 200."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from faults.matrix import aws_faults as aws
from faults.matrix.aws_wire import AwsCall, Interference, Serve, answers, at
from faults.matrix.columns import Expectation, Expected, State, Trigger, healthy
from faults.matrix.faults import Fault
from talend_simulator.messages import Response

# A run asks it if a label is on no version, because there may be no such secret.
_DESCRIBE = "DescribeSecret of the token"
_PAGE = b"<!DOCTYPE html><html><body>Sign in to the network</body></html>"
_MEMBERS = ("ARN", "VersionId", "VersionStages", "SecretString", "CreatedDate", "Versions", "Item")
_BODIES = {
    "a page": _PAGE,
    "nothing": b"",
    "{}": b"{}",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"OK"',
    "half of JSON": b'{"ARN": "arn:aws:secretsmanager:eu-west-1',
    "an object of others": b'{"status": "ok", "VersionId": 1, "Versions": null, "Item": 7}',
    "a list in each member": b'{"ARN": [], "VersionId": [], "VersionStages": [[]], "SecretString": [], "Item": []}',
    "a number in each member": json.dumps(dict.fromkeys((*_MEMBERS, "VersionIdsToStages", "Attributes"), 7)).encode(),
}
# The SDK reads these as DynamoDB's own answer to a write.
_LIKE_DYNAMODB = ("a page", "nothing", "{}", "half of JSON", "an object of others", "a list in each member")
_NUMBER = {"ARN": "arn", "VersionId": "v", "VersionStages": ["AWSCURRENT"], "CreatedDate": 1, "SecretString": 7}


def rows() -> Iterator[Fault]:
    unexpected = aws.says("UnexpectedAnswer. The answer is not from Secrets Manager", asked=False)
    for kind, body in _BODIES.items():
        title, how = f"200 with {kind}", answers(200, body)
        for name in aws.SECRETS:
            yield aws.row_at(name, title, aws.says("UnexpectedAnswer", asked=name in (aws.STAGE, aws.PROMOTE)), how)
        absent = lambda _, state: state is State.ABSENT  # noqa: E731
        yield Fault(f"{_DESCRIBE}: {title}", at(_DESCRIBE, how), unexpected, absent)
        yield aws.row_at(aws.LOCK, title, healthy if kind in _LIKE_DYNAMODB else aws.unlocked, how)
        for name in (aws.UNLOCK, aws.READ_BREAKER, aws.CLOSE_BREAKER):
            yield aws.row_at(name, title, healthy, how)
        for name in (aws.LET_GO, aws.OPEN_BREAKER):
            yield aws.refused_and(name, title, how)
    number = answers(200, json.dumps(_NUMBER).encode())
    for name in aws.READS:
        yield aws.row_at(name, "200 with a number as the value", aws.says("UnexpectedAnswer", asked=False), number)
    for name in (aws.STAGE, aws.PROMOTE):
        yield aws.row_at(name, "done, and 200 with a page", partial(_published, name), _answered_with(_PAGE))
    yield aws.row_at(aws.LOCK, "done, and 200 with null", aws.unlocked, _answered_with(b"null"))
    yield from _strange_records()


def _published(name: str, trigger: Trigger, state: State) -> Expected:
    expected = aws.says("UnexpectedAnswer")(trigger, state)
    return replace(expected, publishes=aws.publishes(name, state))


def _answered_with(body: bytes) -> Interference:
    """Serve the call, and replace the answer."""

    def answer(call: AwsCall, serve: Serve) -> Response:
        serve()
        return call.answer(200, body, "text/html")

    return answer


def _strange_records() -> Iterator[Fault]:
    """The answer says that the lock is taken, but no run has written its record."""
    records: dict[str, tuple[dict[str, Any], Expectation]] = {
        "no record": ({}, Expected("in_progress", 0)),
        "an empty record": ({"Item": {}}, aws.unlocked),
        "a record without a status": ({"Item": {"id": {"S": "talend-token#1"}}}, aws.unlocked),
        "a record of nothing": ({"Item": _completed("null")}, aws.unlocked),
        "a record of others": ({"Item": _completed('{"outcome": "rotated"}')}, aws.unlocked),
        "a record that is not JSON": ({"Item": _completed("rotated")}, aws.unlocked),
    }
    for kind, (item, expected) in records.items():
        body = {"__type": "ConditionalCheckFailedException", "message": "taken"} | item
        yield aws.row_at(aws.LOCK, f"taken, with {kind}", expected, answers(400, json.dumps(body).encode()))


def _completed(data: str) -> dict[str, dict[str, str]]:
    expiry = {"N": "99999999999"}
    return {"id": {"S": "talend-token#1"}, "status": {"S": "COMPLETED"}, "expiration": expiry, "data": {"S": data}}
