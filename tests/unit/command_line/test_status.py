"""`status` shows every account of the stack, and never a token."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import EndpointConnectionError

UNREACHABLE = EndpointConnectionError(endpoint_url="https://x")


@pytest.fixture
def published(aws):
    """Two accounts: one FRESH, five minutes after its rotation, and one STALE."""
    aws.add_account("sales")
    for age in (90_000, 2000, 300):
        aws.publish(age=age)
    aws.publish("talend-token/sales/token", age=1600)
    return aws


def test_each_account_is_a_row(published, terminal):
    published.alarms_on = {"talend-token-sales-Resources-TokenAlarm", "talend-token-DeadLettersAlarm"}
    assert terminal.run("status") == 0
    versions = [published.version(f"talend-token/{account}/token")[:8] for account in ("default", "sales")]
    assert terminal.out == (
        "account  state  left               published             version   next tick  today  alarms\n"
        f"default  fresh  ████████░░ 25 min  2026-11-23 22:24:49Z  {versions[0]}  in 15 min  2/100  none\n"
        f"sales    stale  █░░░░░░░░░ 3 min   2026-11-23 22:03:09Z  {versions[1]}  in 15 min  1/100  TokenAlarm\n"
        "alarms of the stack: DeadLettersAlarm\n"
    )
    assert terminal.err == ""


def test_json_is_one_document(published, terminal):
    assert terminal.run("status", "--json", "--account", "default") == 0
    assert json.loads(terminal.out) == {
        "stack": "talend-token",
        "accounts": [
            {
                "account": "default",
                "state": "fresh",
                "remaining_seconds": 1499,
                "issued_at": 1795472689,
                "expires_at": 1795474489,
                "version_id": published.version(),
                "schedule": "rate(25 minutes)",
                "next_tick_at": 1795473890,
                "versions_today": 2,
                "alarms": [],
            }
        ],
        "alarms": [],
    }
    assert terminal.out.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "shown"),
    [((), ["default", "sales"]), (("--account=sales",), ["sales"]), (("--account=default",), ["default"])],
)
def test_all_accounts_or_one_are_shown(published, terminal, options, shown):
    # A stack that uses the prefix for another purpose is not an account.
    published.imports["talend-token-SecretPrefix"].append("elsewhere")
    published.stacks["elsewhere"] = {}
    assert accounts_in(terminal, *options) == shown
    # The stack's own account is shown without looking for others.
    assert ("list_imports" in published.calls) == (shown != ["default"])


def accounts_in(terminal, *options):
    assert terminal.run("status", "--json", *options) == 0
    return [row["account"] for row in json.loads(terminal.out)["accounts"]]


@pytest.mark.usefixtures("published")
def test_an_account_that_does_not_exist_is_missing(terminal):
    assert terminal.run("status", "--check", "--account", "nix") == 6
    assert "nix      missing" in terminal.out
    assert "secret 'talend-token/nix/token': ResourceNotFoundException" in terminal.err


@pytest.mark.parametrize(
    ("age", "fault", "state", "exit_code"),
    [
        (0, None, "fresh", 0),
        (1499, None, "stale", 3),
        (1798, None, "stale", 3),
        (1799, None, "expired", 6),
        (0, None, "unreadable", 6),
        (0, "ResourceNotFoundException", "missing", 6),
        (0, "AccessDeniedException", "denied", 5),
        (0, UNREACHABLE, "unreachable", 4),
        (0, "SomethingNew", "failed", 1),
    ],
)
def test_check_exits_with_a_code_for_the_state(aws, terminal, age, fault, state, exit_code):
    aws.publish(age=age)
    if state == "unreadable":
        aws.secrets["talend-token/default/token"][-1]["text"] = "hunter2"
    if fault:
        aws.faults["get_secret_value"] = fault
    assert terminal.run("status", "--check", "--json") == exit_code
    assert json.loads(terminal.out)["accounts"][0]["state"] == state
    assert terminal.run("status", "--check") == exit_code
    assert terminal.run("status") == 0


def test_the_worst_account_decides(published, terminal):
    assert terminal.run("status", "--check") == 3
    published.secrets["talend-token/sales/token"].clear()
    assert terminal.run("status", "--check") == 6


@pytest.mark.parametrize(
    ("operation", "unknown"),
    [
        ("list_secret_version_ids", {"versions_today"}),
        ("get_schedule", {"schedule", "next_tick_at"}),
        ("describe_alarms", {"alarms"}),
        ("list_stack_resources", {"schedule", "next_tick_at", "alarms"}),
        ("describe_stacks", {"schedule", "next_tick_at", "alarms"}),
    ],
)
@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_a_missing_right_leaves_a_question_mark_and_one_line(aws, terminal, operation, unknown, code):
    aws.publish()
    aws.faults[operation] = code
    assert terminal.run("status", "--json", "--check") == 0
    (row,) = json.loads(terminal.out)["accounts"]
    assert {name for name, value in row.items() if value is None} == unknown
    (line,) = terminal.err.splitlines()
    assert f"{code} on {operation}" in line
    assert terminal.run("status") == 0
    assert "?" in terminal.out


def test_without_the_right_to_find_accounts_the_stacks_own_is_shown(published, terminal):
    published.faults["list_imports"] = "AccessDenied"
    assert accounts_in(terminal) == ["default"]
    assert "export 'talend-token-SecretPrefix': AccessDenied on list_imports" in terminal.err


@pytest.mark.parametrize(
    ("schedule", "shown"),
    [({"State": "DISABLED"}, "off"), ({"ScheduleExpression": "cron(0/25 * * * ? *)"}, "cron(0/25 * * * ? *)")],
)
def test_a_schedule_without_a_rate_is_shown_as_it_is(aws, terminal, schedule, shown):
    aws.publish()
    aws.schedules["talend-token-DefaultAccount-Schedule"] |= schedule
    assert terminal.run("status") == 0
    assert f"  {shown}  " in terminal.out
    assert terminal.run("status", "--json") == 0
    (row,) = json.loads(terminal.out)["accounts"]
    assert (row["schedule"], row["next_tick_at"]) == (shown, None)


def test_the_next_tick_counts_from_the_schedules_creation(aws, clock, terminal):
    aws.publish()
    created = datetime.fromtimestamp(clock() - 25 * 60 * 7 - 60, UTC)
    aws.schedules["talend-token-DefaultAccount-Schedule"]["CreationDate"] = created
    assert terminal.run("status") == 0
    assert "in 24 min" in terminal.out
