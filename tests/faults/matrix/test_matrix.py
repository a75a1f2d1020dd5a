"""The fault matrix: every fault, in columns of every trigger and every state; `make faults` plays all of its cells."""

import collections
import time
from typing import Any

import boto3
import pytest
from botocore.retries.quota import RetryQuota

from faults.matrix import aws_faults, connection_faults
from faults.matrix import rows as matrix
from faults.matrix.aws_wire import at, error
from faults.matrix.cases import Case
from faults.matrix.columns import Expected, State, Trigger, healthy
from faults.matrix.faults import row
from faults.matrix.world import running_world
from faults.size import chosen
from rotator.adapters import token_endpoint
from rotator.adapters.lock_table import lock_table_client
from rotator.adapters.probe import HttpProbe
from rotator.adapters.secrets_manager import secrets_manager_client
from rotator.domain.invocation import Invocation
from rotator.domain.invocation import Trigger as InvocationTrigger
from rotator.ports import Verdict
from talend_simulator import Broken, TalendSimulator
from talend_token.document import TokenDocument

# As in the template.
RENEW_SECONDS = 30


@pytest.fixture(scope="module")
def world():
    with running_world() as world:
        yield world


@pytest.mark.parametrize(("number", "fault"), [pytest.param(*entry, id=entry[1].name) for entry in matrix.ROWS])
def test_a_fault_does_no_harm_and_the_next_healthy_run_recovers(world, number, fault):
    for trigger, state in matrix.cells(fault, number):
        print(f"{trigger} of {state}")
        matrix.play(world, fault, trigger, state)


@pytest.mark.parametrize(("trigger", "state"), matrix.COLUMNS)
def test_where_nothing_fails_all_is_as_the_columns_say(world, trigger, state):
    matrix.play(world, row("none", lambda _: None, healthy), trigger, state)


@pytest.mark.parametrize(("trigger", "state"), matrix.COLUMNS)
def test_the_calls_that_fail_are_those_of_a_healthy_run(world, trigger, state):
    """The rows of AWS name each call that a healthy run makes."""
    Case(world, trigger, state).run()
    made = [name for name in world.aws.names() if not name.startswith("DescribeSecret")]
    assert made == aws_faults.calls(trigger, state)


def test_each_group_is_met_with_every_trigger_in_every_state():
    for group in matrix.GROUPS.values():
        played = {cell for number, fault in enumerate(group) for cell in matrix.cells(fault, number)}
        assert {trigger for trigger, _ in played} == set(Trigger)
        assert {state for _, state in played} == set(State)


def test_the_matrix_has_its_size_and_no_row_twice():
    counted = sum(len(list(matrix.cells(fault, number))) for number, fault in matrix.ROWS)
    whole = len(matrix.ROWS) * len(matrix.COLUMNS)
    print(f"{counted} of {whole} cells: {len(matrix.ROWS)} faults in {len(matrix.COLUMNS)} columns")
    assert counted == chosen(counted, whole)
    assert collections.Counter(fault.name for _, fault in matrix.ROWS).most_common(1)[0][1] == 1


# --- the instrument ---


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
        matrix.play(world, row("planted", lambda _: None, expected), Trigger.MANUAL, State.FRESH)


def test_a_warning_that_a_row_does_not_expect_is_noticed(world):
    fault = row("planted", at(aws_faults.TABLE, error(400, "AccessDeniedException")), Expected("rotated", 1))
    with pytest.raises(AssertionError, match=r"unexpected: .*continued without the lock"):
        matrix.play(world, fault, Trigger.MANUAL, State.FRESH)


@pytest.mark.parametrize("how", [Broken.RESET, Broken.SILENT])
@pytest.mark.parametrize(
    ("keep", "kind"),
    [(connection_faults.secrets_manager, "SecretStoreError"), (connection_faults.lock_table, "LockUnavailable")],
)
def test_a_client_that_repeats_nothing_meets_the_broken_connection(world, how, keep, kind):
    case = Case(world, Trigger.REJECTED, State.FRESH)
    connection_faults.broken(how, (keep,), case)
    world.patch.setattr(RetryQuota, "acquire", lambda *_: False)
    assert case.run().kind == kind


@pytest.mark.parametrize("name", [aws_faults.LOCK, aws_faults.READ_CREDENTIALS, aws_faults.UNLOCK])
def test_harm_that_is_done_at_any_call_is_noticed(world, name):
    def arm(case):
        def harm(_, serve):
            answer = serve()
            case.put("token", "no document", "AWSCURRENT")
            return answer

        at(name, harm)(case)

    with pytest.raises(AssertionError, match="not a complete token document"):
        matrix.play(world, row("planted", arm, Expected("rotated", 1)), Trigger.MANUAL, State.FRESH)


# --- connections and credentials in more than one run ---


@pytest.mark.parametrize(("how", "pauses"), [(Broken.RESET, 1), (Broken.CLOSED, 0)])
def test_a_broken_connection_to_the_token_endpoint_costs_an_attempt(world, how, pauses):
    case = Case(world, Trigger.MANUAL, State.FRESH)
    connection_faults.broken(how, (connection_faults.token_endpoint,), case)
    assert case.run().kind == "rotated"
    assert len(world.clock.slept) == pauses


def test_the_probe_keeps_no_connection():
    """A connection that it kept would have died by the next rotation, and there is no second attempt."""
    with TalendSimulator() as talend:
        document = TokenDocument("any", "Bearer", 0, 1, talend.url)
        assert HttpProbe().probe(document, "/account/users", time.time() + 20).verdict is Verdict.REJECTED
        deadline = time.monotonic() + 5
        # It counts the connections that are open, and leaves them open.
        while talend.break_kept(Broken.RESET):
            assert time.monotonic() < deadline, "a connection is kept"


@pytest.mark.usefixtures("world")
def test_the_silence_of_every_connection_fits_into_a_renewal():
    """The rows about silence wait for less, so this is about the limits themselves."""
    session = boto3.session.Session()
    clients: list[Any] = [make(session) for make in (secrets_manager_client, lock_table_client)]
    silences = [client.meta.config.read_timeout for client in clients]
    renewal = Invocation(InvocationTrigger.REJECTED, RENEW_SECONDS)
    assert sum(silences) + token_endpoint._READ_SECONDS < renewal.token_deadline


def test_refused_credentials_cost_one_more_call_a_renewal(world):
    """One circuit breaker: while the previous credentials work, each renewal tries the current ones once."""
    case = Case(world, Trigger.REJECTED, State.FRESH)
    case.store_credentials(f"{case.account.client_id}:mistyped")
    for _ in range(3):
        ending = case.run()
        assert (ending.kind, ending.token_calls) == ("rotated", 2)
        world.tick()
        case.reject_what_is_published()
