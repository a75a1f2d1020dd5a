"""The fault matrix: every fault, in columns of every trigger and every state; `make faults` plays all of its cells."""

import collections
import re
import time
from typing import Any

import boto3
import pytest
from botocore.retries.quota import RetryQuota

from faults.matrix import aws_faults, kept_faults
from faults.matrix import rows as matrix
from faults.matrix.aws_arming import at, error, is_of_the_table
from faults.matrix.cases import Case
from faults.matrix.columns import State, Trigger
from faults.matrix.faults import Expected, Fault, healthy
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
    another run publishes; lock table gone; no colon; Base64; empty ID; binary; no JSON; both pairs; kept connection to
    Secrets Manager: reset; lock table: closed; token endpoint: silent; connection reset; lock: 200 with null; 200 with
    a page; 200 with nothing; of plain JSON; JSON in deflate; 400 with invalid_request; not registered; byte order
    mark read; no-break space; zero-width space; curly quotes; header as curl has it
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
def test_the_calls_that_fail_are_those_of_a_healthy_run(world, trigger, state):
    """The rows of AWS name each call that a healthy run makes."""
    Case(world, trigger, state).run()
    made = [name for name in world.aws.names() if not name.startswith("DescribeSecret")]
    assert made == aws_faults.calls(trigger, state)


def test_every_fault_that_can_be_named_is_in_the_table():
    names = [fault.name for fault in matrix.rows()]
    assert [name for name, times in collections.Counter(names).items() if times > 1] == []
    wanted = [re.sub(r"\s+", " ", name.strip()) for name in NAMED.split(";")]
    assert [name for name in wanted if not any(re.search(rf"\b{name}\b", row) for row in names)] == []


def test_each_group_is_met_with_every_trigger_in_every_state():
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
def test_a_warning_that_a_row_does_not_expect_is_noticed(world):
    fault = expecting(Expected("rotated", 1), at(is_of_the_table, error(400, "AccessDeniedException")))
    with pytest.raises(AssertionError, match=r"unexpected: .*continued without the lock"):
        matrix.play(world, fault, Trigger.MANUAL, State.FRESH)


@pytest.mark.no_cover
@pytest.mark.parametrize("how", [Broken.RESET, Broken.SILENT])
@pytest.mark.parametrize(
    ("keep", "kind"),
    [(kept_faults.secrets_manager, "SecretStoreError"), (kept_faults.lock_table, "LockUnavailable")],
)
def test_a_client_that_repeats_nothing_meets_the_broken_connection(world, how, keep, kind):
    case = Case(world, Trigger.REJECTED, State.FRESH)
    kept_faults.broken(how, (keep,), case)
    world.patch.setattr(RetryQuota, "acquire", lambda *_: False)
    assert case.run().kind == kind


@pytest.mark.no_cover
@pytest.mark.parametrize(("how", "pauses"), [(Broken.RESET, 1), (Broken.CLOSED, 0)])
def test_a_broken_connection_to_the_token_endpoint_costs_an_attempt(world, how, pauses):
    case = Case(world, Trigger.MANUAL, State.FRESH)
    kept_faults.broken(how, (kept_faults.token_endpoint,), case)
    assert case.run().kind == "rotated"
    assert len(world.clock.slept) == pauses


@pytest.mark.no_cover
def test_the_probe_keeps_no_connection():
    """A connection that it kept would have died by the next rotation, and there is no second attempt."""
    with TalendSimulator() as talend:
        document = TokenDocument("any", "Bearer", 0, 1, talend.url)
        assert HttpProbe().probe(document, "/account/users", time.time() + 20).verdict is Verdict.REJECTED
        deadline = time.monotonic() + 5
        # Those that are open are counted, and stay open.
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


@pytest.mark.no_cover
def test_refused_credentials_cost_one_more_call_a_renewal(world):
    """One circuit breaker: while the previous credentials work, each renewal tries the current ones once."""
    case = Case(world, Trigger.REJECTED, State.FRESH)
    case.store_credentials(f"{case.account.client_id}:mistyped")
    for _ in range(3):
        ending = case.run()
        assert (ending.kind, ending.token_calls) == ("rotated", 2)
        world.tick()
        case.reject_what_is_published()


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
