"""The fault matrix: each row of faults in each column, a trigger and a state; see `faults.matrix.faults`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from faults.matrix import (
    aws_answers,
    aws_faults,
    body_faults,
    connection_faults,
    consistency_faults,
    credentials_faults,
    http_faults,
    life_faults,
    pasted_faults,
    status_faults,
)
from faults.matrix.cases import Case, Ending, is_of_the_contract
from faults.matrix.columns import Expected, State, Trigger
from faults.matrix.faults import Fault
from faults.matrix.world import World
from faults.size import chosen

type Column = tuple[Trigger, State]

COLUMNS: list[Column] = list(itertools.product(Trigger, State))
GROUPS: dict[str, list[Fault]] = {
    "the status that the token endpoint answers with": list(status_faults.statuses()),
    "what a refusal says": list(status_faults.refusals()),
    "how the token endpoint speaks HTTP": list(http_faults.rows()),
    "what the token endpoint's answer holds": list(body_faults.rows()),
    "what a token is": list(life_faults.rows()),
    "the way to the token endpoint": list(connection_faults.unreachable()),
    "connections that died while they were kept": list(connection_faults.kept()),
    "what AWS does": [*aws_faults.rows(), *consistency_faults.rows()],
    "what answers in the place of AWS": list(aws_answers.rows()),
    "what operators store as credentials": list(credentials_faults.rows()),
    "what operators paste along with credentials": list(pasted_faults.rows()),
}
ROWS = [(number, fault) for group in GROUPS.values() for number, fault in enumerate(group)]


def cells(fault: Fault, number: int) -> Iterator[Column]:
    """Yield the columns in which row `number` of a group is played: all in a long run, otherwise two that change from
    row to row.

    In one of them the fault is met. Over a group, every trigger and every state come up.
    """
    met = [column for column in COLUMNS if fault.hits(*column)]
    # Steps of eight through seven states of five triggers meet all states within seven rows, all triggers within five.
    other = COLUMNS[number * 8 % len(COLUMNS)]
    yield from chosen(list(dict.fromkeys([met[number * 7 % len(met)], other])), COLUMNS)


def play(world: World, fault: Fault, trigger: Trigger, state: State) -> None:
    """Play one cell. The witness has looked at the token secret after each call of AWS.

    Raises:
        AssertionError: something that must hold does not; `faults.invariants.InvariantBroken` is one.
    """
    case = Case(world, trigger, state)
    expected = fault.expects(trigger, state)
    fault.arm(case)
    _check(case, expected, case.run())
    if expected.again and trigger.minds_the_breaker:
        again = case.run()
        assert (again.kind, again.token_calls) == expected.again, f"the second time: {again.problem}"
    _recovers(case, fault)


def _check(case: Case, expected: Expected, ending: Ending) -> None:
    if case.broken:
        raise case.broken
    assert ending.kind == expected.kind, f"{ending.kind}: {ending.problem}"
    assert ending.token_calls == expected.calls, f"{ending.token_calls} token calls"
    said = ending.problem if ending.error else ending.output
    assert expected.says in said, f"not {expected.says!r}: {said}"
    assert expected.logs in ending.output, f"not {expected.logs!r}: {ending.output}"
    warnings = _unexpected_warnings(expected, ending)
    assert warnings == [], f"unexpected: {warnings}"
    assert case.shown(ending) == [], "a secret is shown"
    if ending.error is not None:
        assert is_of_the_contract(ending.error, case.name), f"not of the contract: {ending.problem}"
        assert ending.published == expected.publishes, "a run that raises has published"
        return
    assert ending.answer is not None
    assert ending.answer["account"] == case.name
    # If another run was faster, or a read was stale, this run does not say what is published.
    if ending.kind != "superseded":
        assert ending.published == (expected.publishes or ending.kind == "rotated")
    if ending.kind != "in_progress":
        assert ending.answer["version_id"] == ending.after.version_id
    if expected.life_seconds is not None:
        assert ending.after.document is not None
        assert ending.after.document.life_seconds == expected.life_seconds


def _unexpected_warnings(expected: Expected, ending: Ending) -> list[str]:
    """Return the log's warnings that neither the row expects nor the state of the token causes."""
    known = [expected.says, expected.logs, "an interrupted run had left staged", "is not a token document"]
    lines = [json.loads(line) for line in ending.output.splitlines() if '"warnings"' in line]
    warnings = [warning for line in lines for warning in line["warnings"]]
    return [warning for warning in warnings if not any(part and part in warning for part in known)]


def _recovers(case: Case, fault: Fault) -> None:
    """Once nothing fails any more, and an operator has fixed what an operator has done, one run is enough: the
    watchdog's, or a consumer's, if only the consumer can know that a token does not work."""
    case.world.calm()
    fault.fix(case)
    case.world.tick()
    case.seconds = 60
    if case.is_live():
        ending = case.run(Trigger.WATCHDOG)
    else:
        case.reject_what_is_published()
        ending = case.run(Trigger.REJECTED)
    if ending.error is not None:
        raise AssertionError(f"the next healthy run fails: {ending.problem}") from ending.error
    if case.broken:
        raise case.broken
    assert case.is_live(), f"the next healthy run ends with {ending.kind}, and the published token does not work"
