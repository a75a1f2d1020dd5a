"""Rows of the matrix: failures of each call of AWS that a run makes, and of the lock table while a run ends badly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from faults.matrix import aws_calls as aws
from faults.matrix.aws_wire import ALWAYS, AwsCall, Interference, Serve, answers, at, error, lost, raises
from faults.matrix.cases import Case
from faults.matrix.columns import State, Trigger
from faults.matrix.expected import HELD, PREVIOUS_USED, ByCell, Expectation, Expected, healthy
from faults.matrix.faults import Fault, each, row
from faults.matrix.world import lock_records
from talend_simulator import Answer

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


def rows() -> Iterator[Fault]:
    for name in aws.SECRETS:
        yield from _failures(name, _PASSING | _LASTING)
    for name in (aws.LOCK, aws.UNLOCK, aws.READ_BREAKER, aws.CLOSE_BREAKER):
        yield from _failures(name, _OF_TABLES)
    cannot = error(400, "EncryptionFailure")
    yield Fault("the key cannot encrypt", at(aws.STAGE, cannot), says("EncryptionFailure"), aws.makes(aws.STAGE))
    gone = error(400, "ResourceNotFoundException")
    yield Fault("lock table gone", at(aws.TABLE, gone), unlocked, aws.makes(aws.LOCK))
    for name in (*aws.SECRETS, aws.LOCK, aws.UNLOCK):
        yield repeatable(row_at(name, "the answer is lost, once", healthy, lost, times=1), name)
    for name in (aws.STAGE, aws.PROMOTE, aws.LOCK):
        yield repeatable(row_at(name, "every answer is lost", _though_lost(name), lost), name)

    ways = {
        **{kind: error(*_OF_TABLES[kind]) for kind in ("denied", "throttled", "internal error")},
        "time-out": raises(ReadTimeoutError),
    }
    for name in (aws.LET_GO, aws.OPEN_BREAKER):
        for kind, how in ways.items():
            yield refused_and(name, kind, how)
        yield refused_and(name, "the answer is lost", lost, done=True)
    locked = Expected("in_progress", 0)
    yield Fault("another run has the lock", at(aws.LOCK, _after_another_run), locked, aws.makes(aws.LOCK))


def _failures(name: str, kinds: dict[str, tuple[int, str]]) -> Iterator[Fault]:
    for kind, (status, code) in kinds.items():
        failure = error(status, code)
        # AWS says the same of a version that is not there, so only the whole secret can be missed.
        if kind == "not found" and name in (aws.READ_TOKEN, aws.READ_CREDENTIALS):
            every = f".* {name.partition(' ')[2]}.*"
            yield Fault(f"{name}: no such secret", at(every, failure), says(code, asked=False), aws.makes(name))
        elif kind != "not found" or name not in (aws.READ_STAGED, aws.READ_PREVIOUS):
            yield row_at(name, kind, _expected(name, code), failure)
    for kind, timeout in {"time-out": ReadTimeoutError, "no connection": ConnectTimeoutError}.items():
        yield row_at(name, kind, _expected(name, timeout.__name__), raises(timeout))
    if name in aws.SECRETS:
        for kind, (status, code) in _PASSING.items():
            yield row_at(name, f"{kind}, once", healthy, error(status, code), times=1)
    page = answers(503, b"<html>Service Unavailable</html>")
    yield row_at(name, "a page in the place of an answer", _expected(name, "503"), page)


def row_at(name: str, kind: str, expected: Expectation, how: Interference, *, times: int = ALWAYS) -> Fault:
    return Fault(f"{name}: {kind}", at(name, how, times=times), expected, aws.makes(name))


def repeatable(fault: Fault, name: str) -> Fault:
    """Leave out what moto does wrong: it takes AWSCURRENT from a secret's only version if that is put once more."""

    def is_repeatable(state: State) -> bool:
        return (name, state) != (aws.STAGE, State.ABSENT)

    return replace(
        fault,
        arm=lambda case: fault.arm(case) if is_repeatable(case.state) else None,
        hits=lambda trigger, state: fault.hits(trigger, state) and is_repeatable(state),
    )


def refused_and(name: str, kind: str, how: Interference, *, done: bool = False) -> Fault:
    """A lock that was not released keeps other runs off. A refusal that was not stored opens the breaker of this
    process all the same."""

    def arm(case: Case) -> None:
        each(Answer(403))(case)
        at(name, how)(case)

    again = HELD if done or name == aws.OPEN_BREAKER else ("in_progress", 0)
    expected = Expected("CredentialsRefused", 1, "answered 403", PREVIOUS_USED, again=again)
    return row(f"credentials are refused, and {name}: {kind}", arm, expected)


def _after_another_run(_: AwsCall, serve: Serve) -> AWSResponse:
    """Another run has made the same call just before, so its record differs by the run that wrote it."""
    serve()
    for record in lock_records().values():
        expiry = record.attrs["in_progress_expiration"]
        expiry.value = str(Decimal(expiry.value) + 1)
    return serve()


# --- expectations ---


def _expected(name: str, code: str) -> ByCell:
    """Return how a run ends if each call `name` fails."""
    if name == aws.LOCK:
        return unlocked
    return says(code, asked=name in (aws.STAGE, aws.PROMOTE)) if name in aws.SECRETS else healthy


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
    return lambda trigger, state: replace(expected(trigger, state), publishes=name == aws.PROMOTE)
