"""Rows of the matrix: other runs beside this one, and reads that show what was there before."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from botocore.awsrequest import AWSResponse

from faults.invariants import VERSIONS_A_DAY
from faults.matrix.aws_arming import ALWAYS, at
from faults.matrix.aws_faults import (
    LIST,
    PROMOTE,
    READ_CREDENTIALS,
    READ_PREVIOUS,
    READ_STAGED,
    READ_TOKEN,
    STAGE,
    makes,
)
from faults.matrix.aws_wire import AwsCall, Serve
from faults.matrix.cases import Case, State, Trigger
from faults.matrix.faults import Expected, Fault, healthy


def rows() -> Iterator[Fault]:
    yield from _other_runs()
    yield from _stale_reads()
    yield from _quota()


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
        yield Fault(f"another run publishes before {name}", arm(name), superseded, makes(name))


def _stale_reads() -> Iterator[Fault]:
    """For seconds, a read shows what was there before."""
    for name, expected in {
        READ_TOKEN: _superseded,
        # A token that cannot be seen yet is not promoted.
        READ_STAGED: lambda *_: Expected("rotated", 1),
        READ_PREVIOUS: healthy,
        LIST: healthy,
    }.items():
        yield Fault(f"a stale read: {name}", _stale(name, times=1), expected, _makes_and_has_earlier(name))
    yield Fault(
        "stale reads of the token for five seconds",
        _stale(READ_TOKEN, seconds=5),
        _not_yet_seen,
        _makes_and_has_earlier(READ_TOKEN),
    )


def _stale(name: str, *, times: int = ALWAYS, seconds: float = math.inf) -> Callable[[Case], None]:
    def arm(case: Case) -> None:
        over_at = case.world.clock() + seconds

        def stale(_: AwsCall, serve: Serve) -> AWSResponse:
            return case.reading_earlier(serve) if case.world.clock() < over_at else serve()

        at(lambda call: call.name == name, stale, times=times)(case)

    return arm


def _superseded(trigger: Trigger, _: State) -> Expected:
    # Changed credentials look again, and promote what this run has left staged.
    return Expected("rotated" if trigger is Trigger.CREDENTIALS_CHANGED else "superseded", 1)


def _not_yet_seen(trigger: Trigger, _: State) -> Expected:
    # Every two seconds, changed credentials are tried once more.
    return Expected("rotated", 3) if trigger is Trigger.CREDENTIALS_CHANGED else Expected("in_progress", 1)


def _makes_and_has_earlier(name: str) -> Callable[[Trigger, State], bool]:
    return lambda trigger, state: state is not State.ABSENT and makes(name)(trigger, state)


def _quota() -> Iterator[Fault]:
    """A hundred versions are younger than a day: nobody can store one more."""

    def arm(case: Case) -> None:
        versions = case.versions()
        for _ in range(VERSIONS_A_DAY - len(versions)):
            case.put("token", "one of many")

        def refuse(call: AwsCall, serve: Serve) -> AWSResponse:
            return call.error(400, "LimitExceededException") if len(case.versions()) >= VERSIONS_A_DAY else serve()

        at(lambda call: call.name == STAGE, refuse)(case)

    def expected(trigger: Trigger, _: State) -> Expected:
        if trigger is Trigger.REJECTED:
            return Expected("budget_exhausted", 0)
        return Expected("SecretStoreError", 1, "failed with LimitExceededException")

    def a_day_passes(case: Case) -> None:
        versions = case.versions()
        for version_id in [key for key, version in versions.items() if not version["version_stages"]]:
            del versions[version_id]

    yield Fault("the quota of versions is met", arm, expected, mend=a_day_passes)
