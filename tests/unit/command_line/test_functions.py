"""`rotate`, `renew` and `doctor` invoke the functions, and print their answers."""

import json

import pytest

from talend_token._command_line.invocation import minutes

ROTATE, RENEW = "talend-token-rotate", "talend-token-renew"


@pytest.fixture
def events(aws):
    """The events that the functions got. `rotate` rotates, and `renew` renews, unless a test says otherwise."""
    events = []

    def function(outcome):
        def answer(event):
            events.append(event)
            aws.publish()
            expires_at = int(aws.clock()) + 1800
            return {"outcome": outcome, "version_id": aws.version(), "expires_at": expires_at}

        return answer

    aws.functions = {ROTATE: function("rotated"), RENEW: function("rotated")}
    return events


def answer_rotate(aws, **answer):
    """Let `rotate` answer that, and return the events that it gets."""
    events = []
    aws.functions[ROTATE] = lambda event: events.append(event) or answer
    return events


def publish_after(aws, clock, pauses):
    """Let another run publish a token after the command has waited that often."""
    versions = aws.secrets["talend-token/default/token"]
    number = len(versions)
    aws.on_call = lambda _: len(clock.slept) == pauses and len(versions) == number and aws.publish()


def test_rotate_prints_the_published_version(aws, terminal, events):
    assert terminal.run("rotate") == 0
    assert events == [{"account": "default"}]
    assert terminal.out == (
        f"rotated: account 'default' has version {aws.version()}, valid for 30 min, until 22:59:49Z\n"
    )
    assert terminal.err == ""
    # The function may take 60 seconds, and the SDK would invoke it again after an answer that was lost.
    assert aws.configs["lambda"].read_timeout > 60
    assert aws.configs["lambda"].retries == {"total_max_attempts": 1}


def test_rotate_hands_on_account_and_reason(terminal, events):
    assert terminal.run("rotate", "--account", "sales", "--reason", "rights have changed") == 0
    assert events == [{"account": "sales", "reason": "rights have changed"}]


@pytest.mark.parametrize("published", [True, False])
def test_rotate_waits_for_the_run_in_progress(aws, clock, terminal, published):
    if published:
        aws.publish(age=60)
    before = aws.version() if published else "v1"
    answer_rotate(aws, outcome="in_progress", version_id=before)
    publish_after(aws, clock, 3)
    assert terminal.run("rotate") == 0
    assert terminal.out.startswith(f"rotated by another run: account 'default' has version {aws.version()}, valid for")
    assert aws.version() != before


def test_rotate_does_not_wait_forever(aws, clock, terminal):
    answer_rotate(aws, outcome="in_progress", version_id=None)
    assert terminal.run("rotate") == 1
    assert sum(clock.slept) == 61
    assert "no new token is published after 60 seconds. `talend-token doctor` says why" in terminal.err


def test_rotate_shows_the_version_that_another_run_has_published(aws, terminal):
    aws.publish()
    answer_rotate(aws, outcome="superseded")
    assert terminal.run("rotate") == 0
    assert terminal.out.startswith(f"rotated by another run: account 'default' has version {aws.version()}")


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (0, "0 s"), (119, "119 s"), (120, "2 min"), (6000, "100 min")]
)
def test_a_validity_is_shown_in_minutes_or_in_seconds(seconds, shown):
    assert minutes(seconds) == shown


# --- renew ---


def test_renew_reports_the_published_version_as_rejected(aws, terminal, events):
    aws.publish(age=300)
    rejected = aws.version()
    assert terminal.run("renew") == 0
    assert events == [{"account": "default", "rejected_version_id": rejected}]
    assert terminal.out.startswith(f"rotated: account 'default' has version {aws.version()}, valid for 30 min")


def test_renew_waits_until_the_new_token_shows(aws, clock, terminal):
    aws.publish(age=300)
    rejected = aws.version()
    aws.functions[RENEW] = lambda _: {"outcome": "rotated"}
    publish_after(aws, clock, 2)
    assert terminal.run("renew") == 0
    assert aws.version() != rejected
    assert f"has version {aws.version()}, valid for 30 min" in terminal.out


def test_renew_uses_the_variables_of_the_library(aws, terminal, events, monkeypatch):
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "company/sales/token")
    monkeypatch.setenv("TALEND_RENEW_FUNCTION", "renew-sales")

    def renew(event):
        aws.publish("company/sales/token")
        return aws.functions[RENEW](event)

    aws.functions["renew-sales"] = renew
    aws.publish("company/sales/token")
    assert terminal.run("renew") == 0
    assert events[0]["account"] == "sales"
    assert "describe_stacks" not in aws.calls


# --- doctor ---

CHECKS = [
    {"link": "credentials", "ok": True, "detail": "version 1 is for https://api.eu.cloud.talend.com. Good."},
    {"link": "token call", "ok": False, "detail": "answered 401. Store the pair again. Then rotate."},
    {"link": "lock table", "ok": False, "detail": "no answer"},
]


def test_doctor_shows_each_link_with_the_fix_under_it(aws, terminal):
    events = answer_rotate(aws, outcome="checked", account="default", checks=CHECKS)
    assert terminal.run("doctor") == 1
    assert events == [{"account": "default", "dry_run": True}]
    assert terminal.out == (
        "✓ credentials: version 1 is for https://api.eu.cloud.talend.com. Good.\n"
        "✗ token call: answered 401\n"
        "    Store the pair again. Then rotate.\n"
        "✗ lock table: no answer\n"
    )
    assert terminal.run("doctor", "--json") == 1
    assert json.loads(terminal.out) == {"outcome": "checked", "account": "default", "checks": CHECKS}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_doctor_succeeds_if_no_link_is_broken(aws, terminal, form):
    answer_rotate(aws, outcome="checked", checks=CHECKS[:1])
    assert terminal.run("doctor", *form) == 0
