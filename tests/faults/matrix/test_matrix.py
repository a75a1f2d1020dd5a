"""The fault matrix: every fault, in columns of every trigger and every state; `make faults` plays all of its cells."""

import collections
import re

import pytest

from faults.matrix import aws_faults
from faults.matrix import rows as matrix
from faults.matrix.cases import Case, State, Trigger
from faults.matrix.faults import Expected, Fault, healthy
from faults.matrix.world import running_world
from faults.size import chosen

NUMBERED = [
    pytest.param(number, fault, id=fault.name)
    for group in matrix.GROUPS.values()
    for number, fault in enumerate(group())
]
# What the matrix has to have, whatever else is in it: a word of each name.
NAMED = """
    connection refused; reset; DNS failure; TLS failure; certificate of another host; hang before; hang inside the
    body; slow drip; 400; 401; 403; 404; 408; 429 with no Retry-After; 429 with 2 seconds; 429 with a date; twenty
    digits; 500; 502; 503; 504; to another host; 200 with HTML; truncated JSON; wrong charset; gzip bomb; a huge
    body; no access_token; an empty access_token; a number as access_token; control character; mac token_type;
    expires_in a number; expires_in a string; expires_in a float; expires_in negative; expires_in zero; expires_in
    huge; expires_in absent; exp in the past; wrong aud; same token again; revoked on issue; throttled; denied;
    not found; scheduled for deletion; key disabled; quota of versions; internal error; time-out; stale read;
    another run publishes; lock table gone; no colon; Base64; empty ID; binary; no JSON; both pairs
"""


@pytest.fixture(scope="module")
def world():
    with running_world() as world:
        yield world


@pytest.mark.no_cover
@pytest.mark.parametrize(("number", "fault"), NUMBERED)
def test_a_fault_does_no_harm_and_the_next_healthy_run_recovers(world, subtests, number, fault):
    for trigger, state in matrix.cells(fault, number):
        with subtests.test(trigger=str(trigger), state=str(state)):
            matrix.play(world, fault, trigger, state)


@pytest.mark.no_cover
@pytest.mark.parametrize(("trigger", "state"), matrix.COLUMNS)
def test_where_nothing_fails_all_is_as_the_columns_say(world, trigger, state):
    matrix.play(world, Fault("none", lambda _: None, healthy), trigger, state)


@pytest.mark.no_cover
@pytest.mark.parametrize(("trigger", "state"), matrix.COLUMNS)
def test_the_calls_at_which_aws_fails_are_those_that_a_healthy_run_makes(world, trigger, state):
    Case(world, trigger, state).run()
    made = [name for name in world.aws.names() if not name.startswith("DescribeSecret")]
    assert made == aws_faults.calls(trigger, state)


def test_every_fault_that_can_be_named_is_in_the_table():
    names = [fault.name for fault in matrix.rows()]
    assert [name for name, times in collections.Counter(names).items() if times > 1] == []
    wanted = [re.sub(r"\s+", " ", name.strip()) for name in NAMED.split(";")]
    assert [name for name in wanted if not any(re.search(rf"\b{name}\b", row) for row in names)] == []


def test_each_group_of_faults_is_met_with_every_trigger_in_every_state():
    for group in matrix.GROUPS.values():
        played = {cell for number, fault in enumerate(group()) for cell in matrix.cells(fault, number)}
        assert {trigger for trigger, _ in played} == set(Trigger)
        assert {state for _, state in played} == set(State)


def test_every_fault_is_met():
    for number, fault in enumerate(matrix.rows()):
        assert any(fault.hits(*cell) for cell in matrix.cells(fault, number)), fault.name


def test_the_matrix_has_its_size(record_property):
    counted = sum(len(list(matrix.cells(fault, number))) for number, fault in enumerate(matrix.rows()))
    whole = len(matrix.rows()) * len(matrix.COLUMNS)
    record_property("cells", counted)
    print(f"{counted} of {whole} cells: {len(matrix.rows())} faults in {len(matrix.COLUMNS)} columns")
    assert counted == chosen(counted, whole)
    assert counted > len(matrix.rows())


# --- the instrument ---


def expecting(expected, arm=lambda _: None):
    return Fault("planted", arm, lambda *_: expected, hits=lambda *_: True)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "expected",
    [
        Expected("unchanged", 1),
        Expected("rotated", 2),
        Expected("rotated", 1, says="not in the log"),
        Expected("rotated", 1, life_seconds=1799),
        Expected("CredentialsRefused", 1),
    ],
)
def test_another_ending_than_the_expected_one_is_noticed(world, expected):
    with pytest.raises(AssertionError):
        matrix.play(world, expecting(expected), Trigger.MANUAL, State.FRESH)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [aws_faults.LOCK, aws_faults.READ_CREDENTIALS, aws_faults.UNLOCK])
def test_harm_that_is_done_at_any_call_is_noticed(world, name):
    def arm(case):
        def interfere(call, serve):
            answer = serve()
            if call.name == name:
                case.put("token", "no document", "AWSCURRENT")
            return answer

        case.world.aws.interference = interfere

    with pytest.raises(AssertionError, match="not a complete token document"):
        matrix.play(world, expecting(Expected("rotated", 1), arm), Trigger.MANUAL, State.FRESH)
