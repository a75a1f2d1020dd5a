"""Rows of the matrix: the lock table fails while a run ends badly, or another run has the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from faults.matrix.arming import always
from faults.matrix.aws_arming import at, error, lost, raises
from faults.matrix.aws_faults import LOCK, makes
from faults.matrix.aws_wire import AwsCall, Interference, Serve
from faults.matrix.cases import Case
from faults.matrix.faults import HELD, Expected, Fault
from talend_simulator import Answer

# What a run does to the table once its credentials are refused.
LET_GO = "DeleteItem of the lock"
OPEN = "UpdateItem of the breaker"


def rows() -> Iterator[Fault]:
    ways: dict[str, Interference] = {
        "denied": error(400, "AccessDeniedException"),
        "throttled": error(400, "ProvisionedThroughputExceededException"),
        "internal error": error(500, "InternalServerError"),
        "time-out": raises(ReadTimeoutError),
        "the answer is lost": lost,
    }
    # A lock that was not released keeps other runs off. A breaker whose refusal was not stored is open in this process.
    for name, again in ((LET_GO, ("in_progress", 0)), (OPEN, HELD)):
        for kind, how in ways.items():
            then = HELD if kind == "the answer is lost" else again
            yield Fault(
                f"credentials are refused, and {name}: {kind}",
                _refused(name, how),
                lambda *_, then=then: Expected("CredentialsRefused", 1, "answered 403", again=then),
            )
    yield Fault("another run has the lock", _another_run_locks, _in_progress, makes(LOCK))


def _refused(name: str, how: Interference) -> Callable[[Case], None]:
    def arm(case: Case) -> None:
        always(Answer(403))(case)
        at(_is(name), how)(case)

    return arm


def _is(name: str) -> Callable[[AwsCall], bool]:
    return lambda call: call.name == name


def _another_run_locks(case: Case) -> None:
    """A run beside this one has made the same call just before, so its record differs by the run that wrote it."""

    def after_another(_: AwsCall, serve: Serve) -> AWSResponse:
        serve()
        for record in case.world.records().values():
            expiry = record.attrs["in_progress_expiration"]
            expiry.value = str(Decimal(expiry.value) + 1)
        return serve()

    at(_is(LOCK), after_another)(case)


def _in_progress(*_: object) -> Expected:
    return Expected("in_progress", 0)
