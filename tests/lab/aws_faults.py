"""Rows of the matrix: what AWS does at each call that a run makes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from lab.aws_wire import AwsCall, Interference, Serve
from lab.cases import Case, State, Trigger, needs_nothing
from lab.faults import Expected, Fault, asks, healthy

# More often than a run calls.
_ALWAYS = 1_000
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
READ_TOKEN, READ_STAGED = "GetSecretValue of the token", "GetSecretValue of the token AWSPENDING"
READ_PREVIOUS = "GetSecretValue of the token AWSPREVIOUS"
READ_CREDENTIALS, LIST = "GetSecretValue of the credentials", "ListSecretVersionIds of the token"
STAGE, PROMOTE = "PutSecretValue of the token", "UpdateSecretVersionStage of the token"
LOCK, UNLOCK, EVENT = "PutItem of the lock", "UpdateItem of the lock", "PutEvents"
READ_BREAKER, READ_PAIRS = "GetItem of the breaker", "GetItem of the pair's breaker"
CLOSE_BREAKER, CLOSE_PAIRS = "UpdateItem of the breaker", "UpdateItem of the pair's breaker"
_SECRETS = (READ_TOKEN, READ_STAGED, READ_PREVIOUS, READ_CREDENTIALS, LIST, STAGE, PROMOTE)


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
        made += [LIST] if trigger.is_consumers else []
        made.append(READ_CREDENTIALS)
        made += [READ_BREAKER, READ_PAIRS] if trigger.minds_the_breaker else []
        passes_and_closes = trigger in (Trigger.MANUAL, Trigger.CREDENTIALS_CHANGED)
        made += [CLOSE_PAIRS, CLOSE_BREAKER] if passes_and_closes else []
        made.append(STAGE)
    # The first version of a secret is the current one by itself.
    made += [PROMOTE] if state is not State.ABSENT else []
    return [*made, UNLOCK, EVENT]


def rows() -> Iterator[Fault]:
    for name in (*_SECRETS, LOCK, UNLOCK, EVENT, READ_BREAKER, READ_PAIRS, CLOSE_BREAKER, CLOSE_PAIRS):
        yield from _failures(name)
    yield _row(
        "the quota of versions is met", STAGE, _says("LimitExceededException"), _error(400, "LimitExceededException")
    )
    yield _row("the key cannot encrypt", STAGE, _says("EncryptionFailure"), _error(400, "EncryptionFailure"))
    yield Fault("lock table gone", _at(_is_of_the_table, _error(400, "ResourceNotFoundException")), _unlocked, _locks)
    yield from _lost_answers()
    yield from _other_runs()
    yield from _stale_reads()


def _failures(name: str) -> Iterator[Fault]:
    kinds = _PASSING | _LASTING
    if name not in _SECRETS:
        kinds = {kind: kinds[kind] for kind in ("throttled", "internal error", "denied", "not found")}
    for kind, (status, code) in kinds.items():
        # Of a version that is not there, the same is said: only the whole secret can be missed.
        is_read = kind == "not found" and name in (READ_TOKEN, READ_CREDENTIALS)
        if is_read:
            met, how = _is_about(name.rpartition(" ")[2]), _error(status, code)
            yield Fault(f"{name}: no such secret", _at(met, how), _says(code, asked=False), _makes(name))
        elif kind != "not found" or name not in (READ_STAGED, READ_PREVIOUS):
            yield _row(f"{name}: {kind}", name, _expected(name, code), _error(status, code))
    yield _row(f"{name}: time-out", name, _expected(name, "ReadTimeoutError"), _raises(ReadTimeoutError))
    yield _row(f"{name}: no connection", name, _expected(name, "ConnectTimeoutError"), _raises(ConnectTimeoutError))
    if name in _SECRETS:
        for kind, (status, code) in _PASSING.items():
            yield _row(f"{name}: {kind}, once", name, healthy, _error(status, code), times=1)
    page = _answers(503, b"<html>Service Unavailable</html>")
    yield _row(f"{name}: a page in the place of an answer", name, _expected(name, "503"), page)


def _lost_answers() -> Iterator[Fault]:
    """AWS has done what it was asked, and nobody hears of it."""
    for name in (*_SECRETS, LOCK, UNLOCK, EVENT):
        yield _repeatable(_row(f"{name}: the answer is lost, once", name, _heals(name), _lost, times=1), name)
    for name in (STAGE, PROMOTE):
        yield _repeatable(_row(f"{name}: every answer is lost", name, _though_lost(name), _lost), name)


def _other_runs() -> Iterator[Fault]:
    """The label moves between the read and the swap."""

    def arm(name: str) -> Callable[[Case], None]:
        def other(case: Case) -> None:
            def interfere(call: AwsCall, serve: Serve) -> AWSResponse:
                if call.name == name:
                    case.world.aws.interference = None
                    case.another_run_publishes()
                return serve()

            case.world.aws.interference = interfere

        return other

    def superseded(trigger: Trigger, state: State) -> Expected:
        # Changed credentials look again, and find a token that was issued after the change.
        waits = trigger is Trigger.CREDENTIALS_CHANGED
        return Expected("fresh" if waits else "superseded", healthy(trigger, state).calls, publishes=waits)

    for name in (READ_CREDENTIALS, STAGE, PROMOTE):
        yield Fault(f"another run publishes before {name}", arm(name), superseded, _makes(name))


def _stale_reads() -> Iterator[Fault]:
    """For seconds, a read shows the version before."""

    def arm(case: Case) -> None:
        def interfere(call: AwsCall, serve: Serve) -> AWSResponse:
            if call.name != READ_TOKEN:
                return serve()
            case.world.aws.interference = None
            return case.reading_earlier(serve)

        case.world.aws.interference = interfere

    def superseded(trigger: Trigger, _: State) -> Expected:
        # Changed credentials look again, and promote what this run has left staged.
        return Expected("rotated" if trigger is Trigger.CREDENTIALS_CHANGED else "superseded", 1)

    yield Fault("a stale read of the token", arm, superseded, lambda _, state: state is not State.ABSENT)


# --- expectations ---


def _expected(name: str, code: str) -> Expectation:
    """How a run ends whose call `name` fails each time."""
    if name == LOCK:
        return _unlocked
    if name in _SECRETS:
        return _says(code, asked=name in (STAGE, PROMOTE))
    if name == EVENT:
        return lambda trigger, state: replace(healthy(trigger, state), says="was not sent")
    return healthy


def _says(code: str, *, asked: bool = True) -> Expectation:
    def expected(trigger: Trigger, state: State) -> Expected:
        calls = healthy(trigger, state).calls if asked else 0
        return Expected("SecretStoreError", calls, f"failed with {code}")

    return expected


def _unlocked(trigger: Trigger, state: State) -> Expected:
    if trigger.is_consumers:
        return Expected("LockUnavailable", 0, "could not be asked")
    return replace(healthy(trigger, state), says="went on without the lock")


def _heals(name: str) -> Expectation:
    if name == LOCK:
        return _unlocked
    return _expected(name, "ReadTimeoutError") if name == EVENT else healthy


def _though_lost(name: str) -> Expectation:
    expected = _expected(name, "ReadTimeoutError")
    return lambda trigger, state: replace(expected(trigger, state), publishes=name == PROMOTE)


def _repeatable(fault: Fault, name: str) -> Fault:
    """moto takes AWSCURRENT from a secret's only version when that is put once more; AWS does nothing then."""

    def is_repeatable(state: State) -> bool:
        return (name, state) != (STAGE, State.ABSENT)

    return replace(
        fault,
        arm=lambda case: fault.arm(case) if is_repeatable(case.state) else None,
        hits=lambda trigger, state: fault.hits(trigger, state) and is_repeatable(state),
    )


def _makes(name: str) -> Callable[[Trigger, State], bool]:
    return lambda trigger, state: name in calls(trigger, state)


def _locks(trigger: Trigger, state: State) -> bool:
    return LOCK in calls(trigger, state)


# --- interference ---


def _row(title: str, name: str, expected: Expectation, how: Interference, *, times: int = _ALWAYS) -> Fault:
    return Fault(title, _at(lambda call: call.name == name, how, times=times), expected, _makes(name))


def _at(met: Callable[[AwsCall], bool], how: Interference, *, times: int = _ALWAYS) -> Callable[[Case], None]:
    def arm(case: Case) -> None:
        calls_met = itertools.count()

        def interfere(call: AwsCall, serve: Serve) -> AWSResponse:
            return how(call, serve) if met(call) and next(calls_met) < times else serve()

        case.world.aws.interference = interfere

    return arm


def _is_about(part: str) -> Callable[[AwsCall], bool]:
    return lambda call: call.service == "secretsmanager" and part in call.name


def _is_of_the_table(call: AwsCall) -> bool:
    return call.service == "dynamodb"


def _error(status: int, code: str) -> Interference:
    return lambda call, _: call.error(status, code)


def _answers(status: int, body: bytes) -> Interference:
    return lambda call, _: call.answer(status, body, "text/html")


def _raises(kind: type[ReadTimeoutError | ConnectTimeoutError]) -> Interference:
    def fail(call: AwsCall, _: Serve) -> AWSResponse:
        raise kind(endpoint_url=call.request.url)

    return fail


def _lost(call: AwsCall, serve: Serve) -> AWSResponse:
    serve()
    raise ReadTimeoutError(endpoint_url=call.request.url)
