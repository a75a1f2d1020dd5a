"""`rotate`, `renew` and `doctor` invoke the functions, and print their answers."""

import json

import pytest

from doubles.aws import TOKEN
from talend_token._command_line.invocation import minutes

ROTATE, RENEW = "talend-token-rotate", "talend-token-renew"
ANOTHER = "company/sales/token"


@pytest.mark.parametrize(
    ("command", "event"),
    [
        ("rotate", {"account": "default"}),
        ("rotate --account sales --reason 'new rights'", {"account": "sales", "reason": "new rights"}),
        ("renew", {"account": "default", "rejected_version_id": "REJECTED"}),
    ],
)
def test_a_command_invokes_its_function_and_prints_the_version(aws, terminal, command, event):
    aws.publish(age=300)
    rejected = aws.version()
    assert terminal.run(command) == 0
    assert aws.events == [{name: value.replace("REJECTED", rejected) for name, value in event.items()}]
    valid = f"has version {aws.version()}, valid for 30 min, until 22:59:49Z\n"
    assert terminal.out == f"rotated: account '{event['account']}' {valid}"
    assert terminal.err == ""


@pytest.mark.parametrize(
    ("command", "outcome", "published", "pauses", "printed"),
    [
        ("rotate", "in_progress", True, 3, "rotated by another run"),
        ("rotate", "in_progress", False, 3, "rotated by another run"),
        ("rotate", "superseded", False, 0, "rotated by another run"),
        ("renew", "rotated", True, 2, "rotated"),
    ],
)
def test_a_command_waits_until_a_new_token_shows(aws, clock, terminal, command, outcome, published, pauses, printed):
    if published:
        aws.publish(age=300)
    versions = aws.secrets[TOKEN]
    before = [version["id"] for version in versions]
    aws.on_call = lambda _: len(clock.slept) == pauses and len(versions) == len(before) and aws.publish()
    aws.functions = dict.fromkeys((ROTATE, RENEW), lambda _: {"outcome": outcome, "version_id": (before or ["v1"])[0]})
    assert terminal.run(command) == 0
    assert terminal.out.startswith(f"{printed}: account 'default' has version {aws.version()}, valid for 30 min")
    assert aws.version() not in before


def test_a_function_is_invoked_once_and_has_more_time_than_it_needs(aws, terminal):
    """It may take 60 seconds, and the SDK would invoke it again after an answer that was lost."""
    assert terminal.run("rotate") == 0
    assert aws.configs["lambda"].read_timeout > 60
    assert aws.configs["lambda"].retries == {"total_max_attempts": 1}
    assert [config.connect_timeout for config in aws.configs.values()] == [3] * len(aws.configs)
    other = aws.configs["cloudformation"]
    assert (other.read_timeout, other.retries) == (10, {"mode": "standard", "total_max_attempts": 2})


def test_rotate_does_not_wait_forever(aws, clock, terminal):
    aws.functions[ROTATE] = lambda _: {"outcome": "in_progress", "version_id": None}
    assert terminal.run("rotate") == 1
    assert sum(clock.slept) == 61
    assert "no new token is published after 60 seconds. `talend-token doctor` says why" in terminal.err


def test_renew_uses_the_variables_of_the_library(aws, terminal, monkeypatch):
    monkeypatch.setenv("TALEND_TOKEN_SECRET", ANOTHER)
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew-sales")
    aws.publish(ANOTHER)
    rejected = aws.version(ANOTHER)
    aws.functions = {"renew-sales": lambda _: aws.publish(ANOTHER) and {"outcome": "rotated"}}
    assert terminal.run("renew") == 0
    assert aws.events == [{"account": "sales", "rejected_version_id": rejected}]
    assert "describe_stacks" not in aws.calls


CHECKS = [
    {"link": "credentials", "ok": True, "detail": "version 1 is for https://api.eu.cloud.talend.com. Good."},
    {"link": "token call", "ok": False, "detail": "answered 401. Store the pair again. Then rotate."},
    {"link": "lock table", "ok": False, "detail": "no answer"},
]


def test_doctor_shows_each_link_with_the_fix_under_it(aws, terminal):
    aws.functions[ROTATE] = lambda _: {"outcome": "checked", "account": "default", "checks": CHECKS}
    assert terminal.run("doctor") == 1
    assert aws.events == [{"account": "default", "dry_run": True}]
    assert terminal.out == (
        "✓ credentials: version 1 is for https://api.eu.cloud.talend.com. Good.\n"
        "✗ token call: answered 401\n"
        "    Store the pair again. Then rotate.\n"
        "✗ lock table: no answer\n"
    )
    assert terminal.run("doctor --json") == 1
    assert json.loads(terminal.out) == {"outcome": "checked", "account": "default", "checks": CHECKS}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("command", ["doctor", "doctor --json"])
def test_doctor_succeeds_if_no_link_is_broken(terminal, command):
    assert terminal.run(command) == 0


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (6000, "100 min")]
)
def test_a_validity_is_shown_in_minutes_or_in_seconds(seconds, shown):
    assert minutes(seconds) == shown
