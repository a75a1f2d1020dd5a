"""Rows of the matrix: something else than AWS answers in its place, and says that all is well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from botocore.awsrequest import AWSResponse

from faults.matrix.aws_arming import answers
from faults.matrix.aws_faults import (
    CLOSE_BREAKER,
    LOCK,
    PROMOTE,
    READ_BREAKER,
    READS,
    SECRETS,
    STAGE,
    UNLOCK,
    row,
    says,
    unlocked,
)
from faults.matrix.aws_wire import AwsCall, Interference, Serve
from faults.matrix.columns import State, Trigger
from faults.matrix.faults import Expected, Fault, healthy
from faults.matrix.table_faults import LET_GO, OPEN, let_go_or_open

# Asked for what a label is not on: there may be no such secret.
DESCRIBE = "DescribeSecret of the token"
_PAGE = b"<!DOCTYPE html><html><body>Sign in to the network</body></html>"
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
    "a number in each member": json.dumps(
        dict.fromkeys(("ARN", "VersionId", "VersionStages", "SecretString", "CreatedDate", "Versions", "Item"), 7)
        | {"VersionIdsToStages": 7, "Attributes": 7}
    ).encode(),
}
# What DynamoDB's own answer to a write looks like, once the SDK has read it.
_AS_GOOD_AS_DYNAMODB = ("a page", "nothing", "{}", "half of JSON", "an object of others", "a list in each member")
_NUMBER = {"ARN": "arn", "VersionId": "v", "VersionStages": ["AWSCURRENT"], "CreatedDate": 1, "SecretString": 7}


def rows() -> Iterator[Fault]:
    unexpected = says("UnexpectedAnswer. The answer is not from Secrets Manager", asked=False)
    for kind, body in _BODIES.items():
        for name in SECRETS:
            expected = says("UnexpectedAnswer", asked=name in (STAGE, PROMOTE))
            yield row(f"{name}: 200 with {kind}", name, expected, answers(200, body))
        described = row(f"{DESCRIBE}: 200 with {kind}", DESCRIBE, unexpected, answers(200, body))
        yield replace(described, hits=lambda _, state: state is State.ABSENT)
        for name in (LOCK, UNLOCK, READ_BREAKER, CLOSE_BREAKER):
            is_failure = name == LOCK and kind not in _AS_GOOD_AS_DYNAMODB
            expected = unlocked if is_failure else healthy
            yield row(f"{name}: 200 with {kind}", name, expected, answers(200, body))
        for name in (LET_GO, OPEN):
            yield let_go_or_open(name, f"200 with {kind}", answers(200, body))
    for name in READS:
        number = answers(200, json.dumps(_NUMBER).encode())
        yield row(f"{name}: 200 with a number as the value", name, says("UnexpectedAnswer", asked=False), number)
    yield from _done()
    yield from _strange_records()


def _done() -> Iterator[Fault]:
    """AWS has done what it was asked, and its answer was replaced on the way."""
    for name in (STAGE, PROMOTE):
        yield row(f"{name}: done, and 200 with a page", name, partial(_published, name), _answered_with(_PAGE))
    yield row(f"{LOCK}: done, and 200 with null", LOCK, unlocked, _answered_with(b"null"))


def _published(name: str, trigger: Trigger, state: State) -> Expected:
    expected = says("UnexpectedAnswer")(trigger, state)
    # The first version of a secret is the current one by itself.
    return replace(expected, publishes=name == PROMOTE or state is State.ABSENT)


def _answered_with(body: bytes) -> Interference:
    def answer(call: AwsCall, serve: Serve) -> AWSResponse:
        serve()
        return call.answer(200, body, "text/html")

    return answer


def _strange_records() -> Iterator[Fault]:
    """The lock is taken, by the answer, but its record is not one that a run has written."""
    in_progress = Expected("in_progress", 0)
    records = {
        "no record": (None, lambda *_: in_progress),
        "an empty record": ({}, unlocked),
        "a record without a status": ({"id": {"S": "talend-token#1"}}, unlocked),
        "a record of nothing": (_completed("null"), unlocked),
        "a record of others": (_completed('{"outcome": "rotated"}'), unlocked),
        "a record that is not JSON": (_completed("rotated"), unlocked),
    }
    for kind, (item, expected) in records.items():
        answer = {"__type": "ConditionalCheckFailedException", "message": "taken"}
        body = json.dumps(answer if item is None else answer | {"Item": item}).encode()
        yield row(f"{LOCK}: taken, with {kind}", LOCK, expected, answers(400, body))


def _completed(data: str) -> dict[str, dict[str, str]]:
    expiry = {"N": "99999999999"}
    return {"id": {"S": "talend-token#1"}, "status": {"S": "COMPLETED"}, "expiration": expiry, "data": {"S": data}}
