"""Rows of the matrix: each call of AWS that a run makes fails, or something other than AWS answers in its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from faults.matrix.aws_wire import ALWAYS, Interference, Serve, answers, at, error, lost, raises, response
from faults.matrix.cases import Case
from faults.matrix.columns import ByCell, Expectation, Expected, State, Trigger, asks, healthy, needs_nothing, refused
from faults.matrix.faults import Fault, each, row
from talend_simulator import Answer
from talend_simulator.messages import Response

# The status and the code of each failure, as AWS documents them.
_PASSING = {"throttled": (400, "ThrottlingException"), "internal error": (500, "InternalServiceError")}
_LASTING = {
    "denied": (400, "AccessDeniedException"),
    "not found": (400, "ResourceNotFoundException"),
    "scheduled for deletion": (400, "InvalidRequestException"),
    "key disabled": (400, "DecryptionFailure"),
    "an error nobody knows": (418, "TeapotException"),
}
_OF_TABLES = {
    "throttled": (400, "ProvisionedThroughputExceededException"),
    "too many requests": (400, "RequestLimitExceeded"),
    "internal error": (500, "InternalServerError"),
    "unavailable": (503, "ServiceUnavailable"),
    "denied": (400, "AccessDeniedException"),
    "not found": (400, "ResourceNotFoundException"),
    "key disabled": (400, "KMSDisabledException"),
    "a conflict": (400, "TransactionConflictException"),
    "an item too large": (400, "ItemCollectionSizeLimitExceededException"),
}
READ_TOKEN, READ_STAGED = "GetSecretValue of the token", "GetSecretValue of the token AWSPENDING"
READ_PREVIOUS = "GetSecretValue of the token AWSPREVIOUS"
READ_CREDENTIALS, LIST = "GetSecretValue of the credentials", "ListSecretVersionIds of the token"
STAGE, PROMOTE = "PutSecretValue of the token", "UpdateSecretVersionStage of the token"
LOCK, UNLOCK, LET_GO = "PutItem of the lock", "UpdateItem of the lock", "DeleteItem of the lock"
READ_BREAKER, CLOSE_BREAKER = "GetItem of the breaker", "UpdateItem of the breaker"
# A refusal of the credentials is stored by the call that otherwise forgets one.
OPEN_BREAKER = CLOSE_BREAKER
TABLE = ".* of the (lock|breaker)"
READS = (READ_TOKEN, READ_STAGED, READ_PREVIOUS, READ_CREDENTIALS)
SECRETS = (*READS, LIST, STAGE, PROMOTE)


def calls(trigger: Trigger, state: State) -> list[str]:
    """Return what a healthy run asks of AWS, in order, without `DescribeSecret`, which it needs if nothing is there."""
    if needs_nothing(trigger, state):
        return [READ_TOKEN]
    made = [READ_TOKEN, LOCK]
    if state in (State.ABSENT, State.LEFT_OVER):
        made.append(READ_STAGED)
    # It shows whether the staged version was left over, or published before.
    made += [READ_PREVIOUS] if state is State.LEFT_OVER else []
    if asks(trigger, state):
        made += [LIST] if trigger is Trigger.REJECTED else []
        made.append(READ_CREDENTIALS)
        made += [READ_BREAKER] if trigger.minds_the_breaker else []
        made += [CLOSE_BREAKER] if trigger in (Trigger.MANUAL, Trigger.CREDENTIALS_CHANGED) else []
        made.append(STAGE)
    # A secret's first version becomes the current one by itself.
    made += [PROMOTE] if state is not State.ABSENT else []
    return [*made, UNLOCK]


def makes(name: str) -> Callable[[Trigger, State], bool]:
    return lambda trigger, state: name in calls(trigger, state)


def rows() -> Iterator[Fault]:
    for name in SECRETS:
        yield from _failures(name, _PASSING | _LASTING)
    for name in (LOCK, UNLOCK, READ_BREAKER, CLOSE_BREAKER):
        yield from _failures(name, _OF_TABLES)
    cannot = error(400, "EncryptionFailure")
    yield Fault("the key cannot encrypt", at(STAGE, cannot), says("EncryptionFailure"), makes(STAGE))
    gone = error(400, "ResourceNotFoundException")
    yield Fault("lock table gone", at(TABLE, gone), unlocked, makes(LOCK))
    for name in (*SECRETS, LOCK, UNLOCK):
        yield row_at(name, "the answer is lost, once", healthy, lost, times=1)
    for name in (STAGE, PROMOTE, LOCK):
        yield row_at(name, "every answer is lost", _though_lost(name), lost)

    for name in (LET_GO, OPEN_BREAKER):
        for kind in ("denied", "throttled", "internal error"):
            yield refused_and(name, kind, error(*_OF_TABLES[kind]))
        yield refused_and(name, "time-out", raises(ReadTimeoutError))
        yield refused_and(name, "the answer is lost", lost, done=True)
    locked = Expected("in_progress", 0)
    yield Fault("another run has the lock", _lock_by_another_run, locked, makes(LOCK))


def _failures(name: str, kinds: dict[str, tuple[int, str]]) -> Iterator[Fault]:
    for kind, (status, code) in kinds.items():
        failure = error(status, code)
        # AWS says the same of a version that is not there, so only the whole secret can be missed.
        if kind == "not found" and name in (READ_TOKEN, READ_CREDENTIALS):
            every = f".* {name.partition(' ')[2]}.*"
            yield Fault(f"{name}: no such secret", at(every, failure), says(code, asked=False), makes(name))
        elif kind != "not found" or name not in (READ_STAGED, READ_PREVIOUS):
            yield row_at(name, kind, _expected(name, code), failure)
    for kind, timeout in {"time-out": ReadTimeoutError, "no connection": ConnectTimeoutError}.items():
        yield row_at(name, kind, _expected(name, timeout.__name__), raises(timeout))
    if name in SECRETS:
        for kind, (status, code) in _PASSING.items():
            yield row_at(name, f"{kind}, once", healthy, error(status, code), times=1)
    page = answers(503, b"<html>Service Unavailable</html>")
    yield row_at(name, "a page in the place of an answer", _expected(name, "503"), page)


def row_at(name: str, kind: str, expected: Expectation, how: Interference, *, times: int = ALWAYS) -> Fault:
    return Fault(f"{name}: {kind}", at(name, how, times=times), expected, makes(name))


def refused_and(name: str, kind: str, how: Interference, *, done: bool = False) -> Fault:
    """A lock that was not released keeps other runs off. A refusal that was not stored opens the breaker of this
    process all the same."""

    def arm(case: Case) -> None:
        each(Answer(403))(case)
        at(name, how)(case)

    expected = refused("answered 403")
    if name == LET_GO and not done:
        expected = replace(expected, again=("in_progress", 0))
    return row(f"credentials are refused, and {name}: {kind}", arm, expected)


def _lock_by_another_run(case: Case) -> None:
    """Another run has made the same call just before, so its record differs by the run that wrote it."""

    def serve_after_another(serve: Serve) -> Response:
        serve()
        for record in case.world.memory.items.values():
            expiry = record["in_progress_expiration"]
            expiry["N"] = str(Decimal(expiry["N"]) + 1)
        return serve()

    at(LOCK, serve_after_another)(case)


# --- a status of 200 that is not from AWS ---

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


def other_answers() -> Iterator[Fault]:
    unexpected = says("UnexpectedAnswer. The answer is not from Secrets Manager", asked=False)
    for kind, body in _BODIES.items():
        title, how = f"200 with {kind}", answers(200, body)
        for name in SECRETS:
            yield row_at(name, title, says("UnexpectedAnswer", asked=name in (STAGE, PROMOTE)), how)
        absent = lambda _, state: state is State.ABSENT  # noqa: E731
        yield Fault(f"{_DESCRIBE}: {title}", at(_DESCRIBE, how), unexpected, absent)
        yield row_at(LOCK, title, healthy if kind in _LIKE_DYNAMODB else unlocked, how)
        for name in (UNLOCK, READ_BREAKER, CLOSE_BREAKER):
            yield row_at(name, title, healthy, how)
        for name in (LET_GO, OPEN_BREAKER):
            yield refused_and(name, title, how)
    number = answers(200, json.dumps(_NUMBER).encode())
    for name in READS:
        yield row_at(name, "200 with a number as the value", says("UnexpectedAnswer", asked=False), number)
    for name in (STAGE, PROMOTE):
        yield row_at(name, "done, and 200 with a page", partial(_published, name), _answered_with(_PAGE))
    yield row_at(LOCK, "done, and 200 with null", unlocked, _answered_with(b"null"))
    yield from _strange_records()


def _published(name: str, trigger: Trigger, state: State) -> Expected:
    expected = says("UnexpectedAnswer")(trigger, state)
    return replace(expected, publishes=publishes(name, state))


def _answered_with(body: bytes) -> Interference:
    """Serve the call, and replace the answer."""

    def answer(serve: Serve) -> Response:
        serve()
        return response(200, body, "text/html")

    return answer


def _strange_records() -> Iterator[Fault]:
    """The answer says that the lock is taken, but no run has written its record."""
    records: dict[str, tuple[dict[str, Any], Expectation]] = {
        "no record": ({}, Expected("in_progress", 0)),
        "an empty record": ({"Item": {}}, unlocked),
        "a record without a status": ({"Item": {"id": {"S": "talend-token#1"}}}, unlocked),
        "a record of nothing": ({"Item": _completed("null")}, unlocked),
        "a record of others": ({"Item": _completed('{"outcome": "rotated"}')}, unlocked),
        "a record that is not JSON": ({"Item": _completed("rotated")}, unlocked),
    }
    for kind, (item, expected) in records.items():
        body = {"__type": "ConditionalCheckFailedException", "message": "taken"} | item
        yield row_at(LOCK, f"taken, with {kind}", expected, answers(400, json.dumps(body).encode()))


def _completed(data: str) -> dict[str, dict[str, str]]:
    expiry = {"N": "99999999999"}
    return {"id": {"S": "talend-token#1"}, "status": {"S": "COMPLETED"}, "expiration": expiry, "data": {"S": data}}


# --- expectations ---


def _expected(name: str, code: str) -> ByCell:
    """Return how a run ends if each call `name` fails."""
    if name == LOCK:
        return unlocked
    return says(code, asked=name in (STAGE, PROMOTE)) if name in SECRETS else healthy


def says(code: str, *, asked: bool = True) -> ByCell:
    """A call of Secrets Manager fails, before or after the token call."""
    return lambda trigger, state: Expected(
        "SecretStoreError", healthy(trigger, state).calls if asked else 0, f"failed with {code}"
    )


def unlocked(trigger: Trigger, state: State) -> Expected:
    if trigger is Trigger.REJECTED:
        return Expected("LockUnavailable", 0, "lock table 'locks' failed with")
    return replace(healthy(trigger, state), says="continued without the lock")


def _though_lost(name: str) -> Expectation:
    expected = _expected(name, "ReadTimeoutError")
    return lambda trigger, state: replace(expected(trigger, state), publishes=publishes(name, state))


def publishes(name: str, state: State) -> bool:
    """Return whether a call moves AWSCURRENT. A secret's first version becomes the current one by itself."""
    return name == PROMOTE or (name == STAGE and state is State.ABSENT)
