"""Rows of the matrix: what AWS does at each call that a run makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from faults.matrix.aws_arming import ALWAYS, answers, at, error, is_about, is_of_the_table, lost, raises
from faults.matrix.aws_wire import Interference
from faults.matrix.columns import State, Trigger, needs_nothing
from faults.matrix.faults import Expected, Fault, asks, healthy

type Expectation = Callable[[Trigger, State], Expected]

# The status and the code of each, as AWS documents them.
_PASSING = {"throttled": (400, "ThrottlingException"), "internal error": (500, "InternalServiceError")}
_LASTING = {
    "denied": (400, "AccessDeniedException"),
    "not found": (400, "ResourceNotFoundException"),
    "scheduled for deletion": (400, "InvalidRequestException"),
    "key disabled": (400, "DecryptionFailure"),
    "an error nobody knows": (418, "TeapotException"),
}
# Those of DynamoDB have codes of their own.
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
LOCK, UNLOCK = "PutItem of the lock", "UpdateItem of the lock"
READ_BREAKER, CLOSE_BREAKER = "GetItem of the breaker", "UpdateItem of the breaker"
READS = (READ_TOKEN, READ_STAGED, READ_PREVIOUS, READ_CREDENTIALS)
SECRETS = (*READS, LIST, STAGE, PROMOTE)


def calls(trigger: Trigger, state: State) -> list[str]:
    """What a healthy run asks of AWS, in order; `DescribeSecret`, which tells what is not there, left out."""
    if needs_nothing(trigger, state):
        return [READ_TOKEN]
    made = [READ_TOKEN, LOCK]
    if state in (State.ABSENT, State.LEFT_OVER):
        made.append(READ_STAGED)
    # Whether what is staged was left over, or published before.
    made += [READ_PREVIOUS] if state is State.LEFT_OVER else []
    if asks(trigger, state):
        made += [LIST] if trigger is Trigger.REJECTED else []
        made.append(READ_CREDENTIALS)
        made += [READ_BREAKER] if trigger.minds_the_breaker else []
        made += [CLOSE_BREAKER] if trigger in (Trigger.MANUAL, Trigger.CREDENTIALS_CHANGED) else []
        made.append(STAGE)
    # The first version of a secret is the current one by itself.
    made += [PROMOTE] if state is not State.ABSENT else []
    return [*made, UNLOCK]


def rows() -> Iterator[Fault]:
    for name in (*SECRETS, LOCK, UNLOCK, READ_BREAKER, CLOSE_BREAKER):
        yield from _failures(name)
    yield row("the key cannot encrypt", STAGE, says("EncryptionFailure"), error(400, "EncryptionFailure"))
    yield Fault("lock table gone", at(is_of_the_table, error(400, "ResourceNotFoundException")), unlocked, _locks)
    yield from _lost_answers()


def _failures(name: str) -> Iterator[Fault]:
    kinds = _PASSING | _LASTING if name in SECRETS else _OF_TABLES
    for kind, (status, code) in kinds.items():
        # Of a version that is not there, the same is said: only the whole secret can be missed.
        is_read = kind == "not found" and name in (READ_TOKEN, READ_CREDENTIALS)
        if is_read:
            met, how = is_about(name.rpartition(" ")[2]), error(status, code)
            yield Fault(f"{name}: no such secret", at(met, how), says(code, asked=False), makes(name))
        elif kind != "not found" or name not in (READ_STAGED, READ_PREVIOUS):
            yield row(f"{name}: {kind}", name, _expected(name, code), error(status, code))
    yield row(f"{name}: time-out", name, _expected(name, "ReadTimeoutError"), raises(ReadTimeoutError))
    yield row(f"{name}: no connection", name, _expected(name, "ConnectTimeoutError"), raises(ConnectTimeoutError))
    if name in SECRETS:
        for kind, (status, code) in _PASSING.items():
            yield row(f"{name}: {kind}, once", name, healthy, error(status, code), times=1)
    page = answers(503, b"<html>Service Unavailable</html>")
    yield row(f"{name}: a page in the place of an answer", name, _expected(name, "503"), page)


def _lost_answers() -> Iterator[Fault]:
    """AWS has done what it was asked, and nobody hears of it."""
    for name in (*SECRETS, LOCK, UNLOCK):
        yield repeatable(row(f"{name}: the answer is lost, once", name, healthy, lost, times=1), name)
    for name in (STAGE, PROMOTE, LOCK):
        yield repeatable(row(f"{name}: every answer is lost", name, _though_lost(name), lost), name)


# --- expectations ---


def _expected(name: str, code: str) -> Expectation:
    """How a run ends whose call `name` fails each time."""
    if name == LOCK:
        return unlocked
    if name in SECRETS:
        return says(code, asked=name in (STAGE, PROMOTE))
    return healthy


def says(code: str, *, asked: bool = True) -> Expectation:
    def expected(trigger: Trigger, state: State) -> Expected:
        calls = healthy(trigger, state).calls if asked else 0
        return Expected("SecretStoreError", calls, f"failed with {code}")

    return expected


def unlocked(trigger: Trigger, state: State) -> Expected:
    if trigger is Trigger.REJECTED:
        return Expected("LockUnavailable", 0, "lock table 'locks' failed with")
    return replace(healthy(trigger, state), says="continued without the lock")


def _though_lost(name: str) -> Expectation:
    expected = _expected(name, "ReadTimeoutError")
    return lambda trigger, state: replace(expected(trigger, state), publishes=name == PROMOTE)


def row(title: str, name: str, expected: Expectation, how: Interference, *, times: int = ALWAYS) -> Fault:
    return Fault(title, at(lambda call: call.name == name, how, times=times), expected, makes(name))


def repeatable(fault: Fault, name: str) -> Fault:
    """moto takes AWSCURRENT from a secret's only version when that is put once more; AWS does nothing then."""

    def isrepeatable(state: State) -> bool:
        return (name, state) != (STAGE, State.ABSENT)

    return replace(
        fault,
        arm=lambda case: fault.arm(case) if isrepeatable(case.state) else None,
        hits=lambda trigger, state: fault.hits(trigger, state) and isrepeatable(state),
    )


def makes(name: str) -> Callable[[Trigger, State], bool]:
    return lambda trigger, state: name in calls(trigger, state)


def _locks(trigger: Trigger, state: State) -> bool:
    return LOCK in calls(trigger, state)
