"""Rows of the matrix: the lock table fails while a run ends badly, or another run has the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from faults.matrix.arming import always
from faults.matrix.aws_arming import at, error, lost, raises
from faults.matrix.aws_faults import LOCK, makes
from faults.matrix.aws_wire import AwsCall, Interference, Serve
from faults.matrix.cases import Case
from faults.matrix.faults import Expected, Fault
from talend_simulator import Answer

# What a run does to the table once its credentials are refused.
LET_GO = "DeleteItem of the lock"
OPEN, OPEN_PAIR = "UpdateItem of the breaker", "UpdateItem of the pair's breaker"


def rows() -> Iterator[Fault]:
    ways: dict[str, Interference] = {
        "denied": error(400, "AccessDeniedException"),
        "throttled": error(400, "ProvisionedThroughputExceededException"),
        "internal error": error(500, "InternalServerError"),
        "time-out": raises(ReadTimeoutError),
        "the answer is lost": lost,
    }
    for name in (LET_GO, OPEN, OPEN_PAIR):
        for kind, how in ways.items():
            # A breaker that did not open holds nobody off; a lock that was not let go holds off all who would see.
            yield Fault(
                f"credentials are refused, and {name}: {kind}",
                _refused(name, how),
                lambda *_, is_open=(name, kind) == (LET_GO, "the answer is lost"): Expected(
                    "TokenRefused", 1, "answered 403", breaker=is_open
                ),
            )
    yield Fault("another run has the lock", at(_is(LOCK), _after_another), _in_progress, makes(LOCK))


def _refused(name: str, how: Interference) -> Callable[[Case], None]:
    def arm(case: Case) -> None:
        always(Answer(403))(case)
        at(_is(name), how)(case)

    return arm


def _is(name: str) -> Callable[[AwsCall], bool]:
    return lambda call: call.name == name


def _after_another(_: AwsCall, serve: Serve) -> AWSResponse:
    """The same call, made by a run beside this one a moment before."""
    serve()
    return serve()


def _in_progress(*_: object) -> Expected:
    return Expected("in_progress", 0)
