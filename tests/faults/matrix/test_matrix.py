"""The fault matrix: every fault, in columns of every trigger and every state; `make faults` plays all of its cells."""

import itertools
import json

import pytest

from faults.matrix import (
    answer_faults,
    aws_faults,
    connection_faults,
    consistency_faults,
    credentials_faults,
    life_faults,
    status_faults,
)
from faults.matrix.aws_wire import at, error
from faults.matrix.cases import Case, is_of_the_contract
from faults.matrix.columns import Expected, State, Trigger, healthy
from faults.matrix.faults import row
from faults.matrix.world import running_world
from faults.size import chosen
from rotator.adapters import token_endpoint
from rotator.domain.invocation import Invocation
from rotator.domain.invocation import Trigger as InvocationTrigger

COLUMNS = list(itertools.product(Trigger, State))
GROUPS = {
    "the status that the token endpoint answers with": list(status_faults.statuses()),
    "what a refusal says": list(status_faults.refusals()),
    "how the token endpoint speaks HTTP": list(answer_faults.protocol()),
    "what the token endpoint's answer holds": list(answer_faults.bodies()),
    "what a token is": list(life_faults.rows()),
    "the way to the token endpoint": list(connection_faults.unreachable()),
    "connections that died while they were kept": list(connection_faults.kept()),
    "what AWS does": [*aws_faults.rows(), *consistency_faults.rows()],
    "what answers in the place of AWS": list(aws_faults.other_answers()),
    "what operators store as credentials": list(credentials_faults.rows()),
    "what operators paste along with credentials": list(credentials_faults.pasted()),
}
ROWS = [(number, fault) for group in GROUPS.values() for number, fault in enumerate(group)]


def cells(fault, number):
    """Yield the columns in which row `number` of a group is played: all in a long run, otherwise two that change from
    row to row.

    In one of them the fault is met. Over a group, every trigger and every state come up.
    """
    met = [column for column in COLUMNS if fault.hits(*column)]
    # Steps of eight through seven states of five triggers meet all states within seven rows, all triggers within five.
    other = COLUMNS[number * 8 % len(COLUMNS)]
    yield from chosen(list(dict.fromkeys([met[number * 7 % len(met)], other])), COLUMNS)


def play(world, fault, trigger, state):
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


def _check(case, expected, ending):
    if case.broken:
        raise case.broken
    assert ending.kind == expected.kind, f"{ending.kind}: {ending.problem}"
    assert ending.token_calls == expected.calls, f"{ending.token_calls} token calls"
    said = ending.problem if ending.error else ending.output
    assert expected.says in said, f"not {expected.says!r}: {said}"
    assert expected.logs in ending.output, f"not {expected.logs!r}: {ending.output}"
    warnings = _unexpected_warnings(expected, ending)
    assert warnings == [], f"unexpected: {warnings}"
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


def _unexpected_warnings(expected, ending):
    """Return the log's warnings that neither the row expects nor the state of the token causes."""
    known = [expected.says, expected.logs, "an interrupted run had left staged", "is not a token document"]
    lines = [json.loads(line) for line in ending.output.splitlines() if '"warnings"' in line]
    warnings = [warning for line in lines for warning in line["warnings"]]
    return [warning for warning in warnings if not any(part and part in warning for part in known)]


def _recovers(case, fault):
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


@pytest.fixture(scope="module")
def world():
    with running_world() as world:
        yield world


@pytest.mark.parametrize(("number", "fault"), [pytest.param(*entry, id=entry[1].name) for entry in ROWS])
def test_a_fault_does_no_harm_and_the_next_healthy_run_recovers(world, number, fault):
    for trigger, state in cells(fault, number):
        print(f"{trigger} of {state}")
        play(world, fault, trigger, state)


@pytest.mark.parametrize(("trigger", "state"), COLUMNS)
def test_where_nothing_fails_all_is_as_the_columns_say(world, trigger, state):
    play(world, row("none", lambda _: None, healthy), trigger, state)


@pytest.mark.parametrize(("trigger", "state"), COLUMNS)
def test_the_calls_that_fail_are_those_of_a_healthy_run(world, trigger, state):
    """The rows of AWS name each call that a healthy run makes."""
    Case(world, trigger, state).run()
    made = [name for name in world.aws.calls if not name.startswith("DescribeSecret")]
    assert made == aws_faults.calls(trigger, state)


def test_each_group_meets_every_trigger_in_every_state_and_no_row_twice():
    for group in GROUPS.values():
        played = {cell for number, fault in enumerate(group) for cell in cells(fault, number)}
        assert {trigger for trigger, _ in played} == set(Trigger)
        assert {state for _, state in played} == set(State)
    assert len({fault.name for _, fault in ROWS}) == len(ROWS)


# --- the instrument ---

HARMED = (aws_faults.LOCK, aws_faults.READ_CREDENTIALS, aws_faults.UNLOCK)


def harm_after(name):
    def arm(case):
        def harm(serve):
            answer = serve()
            case.put("token", "no document", "AWSCURRENT")
            return answer

        at(name, harm)(case)

    return arm


@pytest.mark.parametrize(
    ("arm", "expected", "says"),
    [
        (lambda _: None, Expected("unchanged", 1), "rotated: "),
        (lambda _: None, Expected("rotated", 2), "1 token calls"),
        (lambda _: None, Expected("rotated", 1, says="not in the log"), "not 'not in the log'"),
        (lambda _: None, Expected("rotated", 1, life_seconds=1799), "1799"),
        (
            at(aws_faults.TABLE, error(400, "AccessDeniedException")),
            Expected("rotated", 1),
            "continued without the lock",
        ),
        *((harm_after(name), Expected("rotated", 1), "not a complete token document") for name in HARMED),
    ],
)
def test_another_ending_than_the_expected_one_is_noticed(world, arm, expected, says):
    with pytest.raises(AssertionError, match=says):
        play(world, row("planted", arm, expected), Trigger.MANUAL, State.FRESH)


def test_the_silence_of_every_connection_fits_into_a_renewal():
    """The rows about silence wait for less. Secrets Manager may take five seconds, and the lock table two."""
    renewal = Invocation(InvocationTrigger.REJECTED, 30)
    assert renewal.token_deadline > 5 + 2 + token_endpoint._READ_SECONDS
