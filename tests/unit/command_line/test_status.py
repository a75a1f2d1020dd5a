"""`status` shows every account of the stack, and never a token."""

import json
from datetime import UTC, datetime

import pytest

from doubles.aws import TOKEN
from doubles.clock import START
from unit.command_line.conftest import UNREACHABLE

SALES = "talend-token/sales/token"


@pytest.fixture
def published(aws):
    """Two accounts: one FRESH, five minutes after its rotation, and one STALE."""
    aws.add_account("sales")
    for age in (90_000, 4000, 2000, 300):
        aws.publish(age=age)
    aws.publish(SALES, age=1690)
    return aws


def test_each_account_is_a_row(published, terminal):
    published.alarms_on = {"talend-token-sales-Resources-TokenAlarm", "talend-token-Monitoring-DeadLettersAlarm"}
    assert terminal.run("status") == 0
    versions = [published.version(secret)[:8] for secret in (TOKEN, SALES)]
    assert terminal.out == (
        "account  state  left               published             version   next tick  today  alarms\n"
        f"default  fresh  ████████░░ 25 min  2026-11-23 22:24:49Z  {versions[0]}  in 15 min  3/100  none\n"
        f"sales    stale  █░░░░░░░░░ 109 s   2026-11-23 22:01:39Z  {versions[1]}  in 15 min  1/100  TokenAlarm\n"
        "alarms of the stack: DeadLettersAlarm\n"
    )
    assert terminal.err == ""


def test_json_is_one_document(published, terminal):
    assert terminal.run("status --json --account default") == 0
    row = {
        "account": "default",
        "state": "fresh",
        "remaining_seconds": 1499,
        "issued_at": 1795472689,
        "expires_at": 1795474489,
        "version_id": published.version(),
        "schedule": "rate(25 minutes)",
        "next_tick_at": 1795473890,
        "versions_today": 3,
        "alarms": [],
    }
    assert json.loads(terminal.out) == {"stack": "talend-token", "accounts": [row], "alarms": []}
    assert terminal.out.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("status --json", ["default", "africa", "sales"]),
        ("status --json --account sales", ["sales"]),
        ("status --json --account default", ["default"]),
    ],
)
def test_all_accounts_or_one_are_shown(published, terminal, command, shown):
    # A stack that uses the prefix for another purpose is not an account.
    published.add_account("africa")
    published.imports["talend-token-SecretPrefix"].append("elsewhere")
    published.stacks["elsewhere"] = {}
    assert terminal.run(command) == 0
    assert [row["account"] for row in json.loads(terminal.out)["accounts"]] == shown
    # The stack's own account is shown without looking for others.
    assert ("list_imports" in published.calls) == (shown != ["default"])


def test_an_account_that_does_not_exist_is_missing(aws, terminal):
    aws.publish()
    assert terminal.run("status --check --account nix") == 6
    assert "nix      missing" in terminal.out
    assert "secret 'talend-token/nix/token': ResourceNotFoundException" in terminal.err


@pytest.mark.parametrize(
    ("age", "fault", "state", "exit_code"),
    [
        (0, None, "fresh", 0),
        (1499, None, "stale", 3),
        (1798, None, "stale", 3),
        (1799, None, "expired", 6),
        (0, "unreadable", "unreadable", 6),
        (0, "ResourceNotFoundException", "missing", 6),
        (0, "AccessDeniedException", "denied", 5),
        (0, UNREACHABLE, "unreachable", 4),
        (0, "SomethingNew", "failed", 1),
    ],
)
def test_check_exits_with_a_code_for_the_state(aws, terminal, age, fault, state, exit_code):
    aws.publish(age=age)
    if fault == "unreadable":
        aws.secrets[TOKEN][-1]["text"] = "hunter2"
    elif fault:
        aws.faults["get_secret_value"] = fault
    assert terminal.run("status --check --json") == exit_code
    (row,) = json.loads(terminal.out)["accounts"]
    assert (row["state"], row["remaining_seconds"] == 0) == (state, state == "expired")
    assert terminal.run("status --check") == exit_code
    assert terminal.run("status") == 0


def test_the_worst_account_decides(published, terminal):
    assert terminal.run("status --check") == 3
    published.secrets[SALES].clear()
    assert terminal.run("status --check") == 6


@pytest.mark.parametrize(
    ("operation", "unknown"),
    [
        ("list_secret_version_ids", {"versions_today"}),
        ("get_schedule", {"schedule", "next_tick_at"}),
        ("describe_alarms", {"alarms"}),
        ("list_stack_resources", {"schedule", "next_tick_at", "alarms"}),
        ("describe_stacks", {"schedule", "next_tick_at", "alarms"}),
        # The stack's own account is shown without the right to find others.
        ("list_imports", set()),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_missing_right_leaves_a_question_mark_and_one_line(aws, terminal, operation, unknown, code):
    aws.publish()
    aws.faults[operation] = code
    assert terminal.run("status --json --check") == 0
    (row,) = json.loads(terminal.out)["accounts"]
    assert {name for name, value in row.items() if value is None} == unknown
    (line,) = terminal.err.splitlines()
    assert f"{code} on {operation}" in line
    assert terminal.run("status") == 0
    assert ("?" in terminal.out.split()) == bool(unknown)


@pytest.mark.parametrize("number", range(4))
def test_a_right_on_one_stack_may_be_missing(aws, terminal, number):
    """The main stack is listed for its account and for its alarms, and so are the two stacks in it."""
    aws.publish()

    def deny(operation):
        denied = operation == "list_stack_resources" and aws.calls.count(operation) == number + 1
        aws.faults = {operation: "AccessDenied"} if denied else {}

    aws.on_call = deny
    assert terminal.run("status --json") == 0
    assert "AccessDenied on list_stack_resources" in terminal.err


def test_an_account_without_a_schedule_and_alarms_has_none(aws, terminal):
    aws.publish()
    aws.resources["talend-token-DefaultAccount"].clear()
    assert terminal.run("status --json") == 0
    (row,) = json.loads(terminal.out)["accounts"]
    assert (row["schedule"], row["alarms"]) == (None, [])


CRON = "cron(0/25 * * * ? *)"


@pytest.mark.parametrize(
    ("schedule", "shown", "in_json"),
    [
        ({"State": "DISABLED"}, "off", ("off", None)),
        ({"ScheduleExpression": CRON}, CRON, (CRON, None)),
        # A rate counts from the schedule's creation: seven intervals and a minute ago.
        (
            {"CreationDate": datetime.fromtimestamp(START - 176 * 60, UTC)},
            "in 24 min",
            ("rate(25 minutes)", 1795474430),
        ),
    ],
)
def test_the_next_tick_is_shown_if_the_schedule_has_a_rate(aws, terminal, schedule, shown, in_json):
    aws.publish()
    aws.schedules["talend-token-DefaultAccount-Schedule"] |= schedule
    assert terminal.run("status") == 0
    assert f"  {shown}  " in terminal.out
    assert terminal.run("status --json") == 0
    (row,) = json.loads(terminal.out)["accounts"]
    assert (row["schedule"], row["next_tick_at"]) == in_json
