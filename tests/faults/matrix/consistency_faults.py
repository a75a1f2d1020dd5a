"""Rows of the matrix: other runs beside this one, reads that show an earlier version, and the quota of versions."""

from __future__ import annotations

import math
from collections.abc import Iterator

from faults.invariants import VERSIONS_A_DAY
from faults.matrix import aws_faults as aws
from faults.matrix.aws_wire import ALWAYS, Serve, at
from faults.matrix.cases import Case
from faults.matrix.columns import LIFE_SECONDS, Expectation, Expected, State, Trigger, healthy
from faults.matrix.faults import Arm, Fault
from talend_simulator.messages import Response


def rows() -> Iterator[Fault]:
    for name in (aws.READ_CREDENTIALS, aws.STAGE, aws.PROMOTE):
        yield Fault(f"another run publishes before {name}", _another_run_before(name), _superseded, aws.makes(name))
    stale_reads: dict[str, Expectation] = {
        aws.READ_TOKEN: _superseded_late,
        # A token that cannot be seen yet is not promoted.
        aws.READ_STAGED: Expected("rotated", 1),
        aws.READ_PREVIOUS: healthy,
        aws.LIST: healthy,
    }
    for name, expected in stale_reads.items():
        yield _stale(f"a stale read: {name}", name, expected, times=1)
    yield _stale("stale reads of the token for five seconds", aws.READ_TOKEN, _not_yet_seen, seconds=5)
    yield Fault("the quota of versions is met", _meet_the_quota, _no_more_versions, fix=_a_day_passes)


def _another_run_before(name: str) -> Arm:
    """The label moves between the read and the swap."""

    def arm(case: Case) -> None:
        def publish(serve: Serve) -> Response:
            case.world.aws.interference = None
            case.publish(case.issue(LIFE_SECONDS))
            return serve()

        at(name, publish)(case)

    return arm


def _superseded(trigger: Trigger, state: State) -> Expected:
    # After changed credentials, a run looks again, and finds a token that was issued after the change.
    waits = trigger is Trigger.CREDENTIALS_CHANGED
    return Expected("fresh" if waits else "superseded", healthy(trigger, state).calls, publishes=waits)


def _stale(title: str, name: str, expected: Expectation, *, times: int = ALWAYS, seconds: float = math.inf) -> Fault:
    """For seconds, a read shows the version before."""

    def arm(case: Case) -> None:
        # The time that a busy machine takes does not count.
        clock, ends_at = case.world.clock, case.world.clock.ahead + seconds

        def read(serve: Serve) -> Response:
            return case.reading_earlier(serve) if clock.ahead < ends_at else serve()

        at(name, read, times=times)(case)

    def has_earlier(trigger: Trigger, state: State) -> bool:
        return state is not State.ABSENT and name in aws.calls(trigger, state)

    return Fault(title, arm, expected, has_earlier)


def _superseded_late(trigger: Trigger, _: State) -> Expected:
    # After changed credentials, a run looks again, and promotes the token that it has left staged.
    return Expected("rotated" if trigger is Trigger.CREDENTIALS_CHANGED else "superseded", 1)


def _not_yet_seen(trigger: Trigger, _: State) -> Expected:
    # After changed credentials, a run tries once more every two seconds.
    return Expected("rotated", 3) if trigger is Trigger.CREDENTIALS_CHANGED else Expected("in_progress", 1)


def _meet_the_quota(case: Case) -> None:
    """A hundred versions are younger than a day, so Secrets Manager stores no more."""
    while len(case.versions()) < VERSIONS_A_DAY:
        case.put("token", "one of many")


def _no_more_versions(trigger: Trigger, _: State) -> Expected:
    if trigger is Trigger.REJECTED:
        return Expected("budget_exhausted", 0)
    return Expected("SecretStoreError", 1, "failed with LimitExceededException")


def _a_day_passes(case: Case) -> None:
    versions = case.versions()
    for version_id in [key for key, version in versions.items() if not version["Stages"]]:
        del versions[version_id]
