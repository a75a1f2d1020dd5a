"""The fault matrix: each row of faults in each column, a trigger and a state; see `faults.matrix.faults`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from faults.matrix import (
    aws_faults,
    body_faults,
    consistency_faults,
    credentials_faults,
    http_faults,
    life_faults,
    network_faults,
    status_faults,
    table_faults,
)
from faults.matrix.cases import Case, Ending, State, Trigger, is_of_the_contract
from faults.matrix.faults import Expected, Fault
from faults.matrix.world import World
from faults.size import chosen

type Column = tuple[Trigger, State]

COLUMNS: list[Column] = list(itertools.product(Trigger, State))
GROUPS: dict[str, Callable[[], Iterator[Fault]]] = {
    "the status that the token endpoint answers with": status_faults.rows,
    "how the token endpoint speaks HTTP": http_faults.rows,
    "what the token endpoint's answer holds": body_faults.rows,
    "what a token is": life_faults.rows,
    "the way to the token endpoint": network_faults.rows,
    "what AWS does": lambda: itertools.chain(aws_faults.rows(), table_faults.rows(), consistency_faults.rows()),
    "what people store as credentials": credentials_faults.rows,
}


def rows() -> list[Fault]:
    """Every row; their names are different."""
    return [fault for group in GROUPS.values() for fault in group()]


def cells(fault: Fault, number: int) -> Iterator[Column]:
    """The columns in which row `number` of a group is played: all in a long run, otherwise two, others for each row.

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
    ending = case.run()
    _check(case, expected, ending)
    if expected.again and trigger.minds_the_breaker:
        again = case.run()
        assert (again.kind, again.token_calls) == expected.again, f"the second time: {again.problem}"
    _recovers(case, fault)


def _check(case: Case, expected: Expected, ending: Ending) -> None:
    if case.broken:
        raise case.broken
    assert ending.kind == expected.kind, f"{ending.kind}: {ending.problem}"
    assert ending.token_calls == expected.calls, f"{ending.token_calls} token calls"
    assert expected.says in (ending.problem if ending.error else ending.output)
    assert expected.logs in ending.output
    assert case.shown(ending) == [], "a secret is shown"
    if ending.error is not None:
        assert is_of_the_contract(ending.error, case.name), f"not of the contract: {ending.problem}"
        assert ending.published == expected.publishes, "a run that raises has published"
        return
    assert ending.answer is not None
    assert ending.answer["account"] == case.name
    # Where another run was faster, or a read was stale, it is not this run that says what is published.
    if ending.kind != "superseded":
        assert ending.published == (expected.publishes or ending.kind == "rotated")
    if ending.kind != "in_progress":
        assert ending.answer["version_id"] == ending.after.version_id
    if expected.life_seconds is not None:
        assert ending.after.document is not None
        assert ending.after.document.life_seconds == expected.life_seconds


def _recovers(case: Case, fault: Fault) -> None:
    """Once nothing fails any more, and a person has mended what a person has done, one run is enough: the watchdog's,
    or, where only a consumer can know that a token does not work, that consumer's."""
    case.world.calm()
    fault.mend(case)
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
    assert case.is_live(), f"the next healthy run ends with {ending.kind}, and what is published does not work"
