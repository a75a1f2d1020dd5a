"""`make conformance`: a log of the functions is accepted, and one that was interfered with is refused."""

import json
import random
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance import check_log, read_log
from doubles.system import System
from faults.journal import Recorder
from log_line import Impossible, Line
from log_specification import CREDENTIALS_CHANGED, LEFT_STAGED, check
from rotator.adapters.telemetry import reported
from rotator.domain.invocation import Trigger
from unit.service.conftest import leave_staged, with_token

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "log-conformance.md"


@pytest.fixture(scope="module")
def log():
    """The events of five hours: the schedule, the watchdog between, a forced rotation, and a renewal."""
    system, events = System(), []

    def run(function, act, after):
        system.clock.advance(seconds=after)
        recorder, request = Recorder(function), f"request-{len(events)}"
        with reported(recorder, recorder, system.clock) as report:
            report.result = act()
            report.invocation = system.invocation
        at = datetime.fromtimestamp(system.clock(), UTC)
        line = recorder.record | {"function_request_id": request, "timestamp": at.isoformat()}
        ended = {"type": "platform.report", "record": {"requestId": request, "status": "success"}}
        events.extend(
            {"timestamp": int(1000 * system.clock()), "message": json.dumps(record)} for record in (line, ended)
        )

    run("rotate", system.rotate, 0)
    for _ in range(12):
        for _ in range(4):
            run("rotate", lambda: system.rotate(Trigger.WATCHDOG), 300)
        run("rotate", lambda: system.rotate(Trigger.SCHEDULE), 300)
    run("rotate", system.rotate, 120)
    run("renew", system.renew, 600)
    run("rotate", lambda: system.rotate(Trigger.WATCHDOG), 60)
    return events


def exported(events):
    return json.dumps({"events": events, "searchedLogStreams": []}, indent=4)


def accept(text):
    check_log(read_log(text))


def refuse(text):
    with pytest.raises(Impossible) as refused:
        accept(text)
    assert refused.value.line.text
    return refused.value.why


def of(events, outcome):
    """The positions of the lines with an outcome."""
    return [number for number, event in enumerate(events) if json.loads(event["message"]).get("message") == outcome]


def changed(events, number, **members):
    message = json.loads(events[number]["message"]) | members
    return [*events[:number], events[number] | {"message": json.dumps(message)}, *events[number + 1 :]]


def test_the_functions_own_log_is_accepted(log):
    assert len(of(log, "rotated")) == 15
    accept(exported(log))


def test_lines_of_two_groups_may_be_out_of_order_and_doubled(log):
    lines = [*log, *log[::3]]
    random.Random(7).shuffle(lines)
    of_renew = [event for event in lines if '"service": "renew"' in event["message"]]
    of_rotate = [event for event in lines if event not in of_renew]
    accept(exported(of_rotate) + "\n" + exported(of_renew))


def test_the_time_of_a_line_is_its_own(log):
    """CloudWatch Logs may receive a line much later."""
    accept(exported([event | {"timestamp": 0} for event in log if "platform" not in event["message"]]))


@pytest.mark.parametrize(("status", "accepted"), [("timeout", True), ("success", False)])
def test_a_run_that_lambda_stopped_may_have_published_a_version(log, status, accepted):
    last = json.loads(log[-2]["message"])
    ended = datetime.fromisoformat(last["timestamp"]).timestamp() + 120
    metrics = {"durationMs": 60_000}
    report = {"type": "platform.report", "record": {"requestId": "stopped", "status": status, "metrics": metrics}}
    at = datetime.fromtimestamp(ended - 30, UTC).isoformat()
    seen = last | {"version_id": "0" * 32, "timestamp": at, "remaining_seconds": 1700, "function_request_id": "later"}
    messages = [(ended, report), (ended - 30, seen)]
    events = [*log, *({"timestamp": int(1000 * when), "message": json.dumps(message)} for when, message in messages)]
    if accepted:
        accept(exported(events))
    else:
        refuse(exported(events))


@pytest.mark.parametrize("left", range(1, 30))
def test_a_truncated_line_is_counted_and_accepted(log, left):
    number = of(log, "rotated")[5]
    message = log[number]["message"]
    cut = message[: len(message) * left // 30]
    events = [*log[:number], log[number] | {"message": cut}, *log[number + 1 :]]
    assert read_log(exported(events)).truncated == 1
    accept(exported(events))


def test_a_file_that_ends_in_a_line_is_accepted(log):
    text = exported(log)
    for end in range(len(text) // 2, len(text), 997):
        accept(text[:end])


@pytest.mark.parametrize("number", [3, 7, 11])
def test_a_removed_line_of_a_publication_is_refused(log, number):
    """Lambda's own lines may not be there."""
    removed = of(log, "rotated")[number]
    events = [event for place, event in enumerate(log) if place != removed and "platform" not in event["message"]]
    assert "no run can have published it" in refuse(exported(events))


@pytest.mark.parametrize("outcome", ["fresh", "rotated"])
def test_a_removed_line_is_missed_beside_lambdas_own(log, outcome):
    removed = of(log, outcome)[3]
    why = refuse(exported([event for place, event in enumerate(log) if place != removed]))
    assert "its line is missing" in why or "no run can have published it" in why


@pytest.mark.parametrize(
    ("outcome", "members", "why"),
    [
        ("fresh", {"version_id": "0" * 32}, "no run can have published it"),
        ("fresh", {"message": "budget_exhausted"}, "does not end with budget_exhausted"),
        ("rotated", {"message": "halted"}, "no message 'halted'"),
        ("rotated", {"remaining_seconds": 0}, "valid for some time"),
        ("rotated", {"service": "renew"}, "renew is not invoked for"),
        ("fresh", {"trigger": "manual"}, "an invocation for manual does not end with fresh"),
        ("fresh", {"remaining_seconds": 1000}, "expires at another time"),
        ("fresh", {"message": "in_progress"}, "no other run was in progress"),
        ("fresh", {"message": "waiting_for_credentials", "version_id": None}, "the credentials had a value before"),
    ],
)
def test_a_line_that_cannot_have_been_written_is_refused(log, outcome, members, why):
    assert why in refuse(exported(changed(log, of(log, outcome)[6], **members)))


def line(at, outcome, version="v1", trigger="schedule", left=1800, took=1.0, **members):
    return Line(at - took, at, outcome, "default", "rotate", trigger, version, left, **members)


def fresh(at, version="v1"):
    return line(at, "fresh", version, left=round(1800 - at))


KILLED = line(3, "lost", None)
RENEWED = Line(29, 30, "rotated", "default", "renew", "rejected", "v2", 1800)
LOST_ANSWER = line(500, "failed", None, "manual", error="SecretStoreError")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([line(0, "rotated"), line(30, "rotated", "v2")], "too young to be replaced for schedule"),
        ([line(0, "rotated"), RENEWED], "too young to be replaced for rejected"),
        ([line(0, "rotated"), line(1500, "rotated", "v2", left=200)], "is valid for longer, so schedule keeps it"),
        ([line(0, "rotated"), line(1600, "rotated", "v2", "watchdog", 100)], "is valid for longer, so watchdog keeps"),
        ([line(0, "fresh", left=0)], "valid for some time"),
        ([line(0, "waiting_for_credentials", None, "manual")], "manual does not end with"),
        ([line(0, "waiting_for_credentials", None, "manual", reason=CREDENTIALS_CHANGED)], "changed does not end with"),
        ([line(0, "ignored", None)], "schedule does not end with"),
        ([replace(RENEWED, outcome="fresh")], "rejected does not end with"),
        ([line(0, "rotated"), line(900, "rotated", "v2", "watchdog")], "FRESH, so the watchdog keeps it"),
        ([line(0, "rotated"), line(1600, "fresh", "v1", "watchdog", 200)], "about to expire"),
        ([line(0, "rotated"), line(900, "rotated", "v2", "manual"), line(950, "fresh", "v1")], "never comes back"),
        ([line(0, "rotated"), line(900, "rotated", trigger="manual")], "by another run"),
        ([line(0, "fresh"), line(900, "fresh", "v2", left=1700), line(800, "rotated", "v2")], None),
        ([line(0, "fresh"), line(900, "rotated", "v2"), line(800, "fresh", "v2")], "not published yet"),
        ([line(100 * number, "rotated", f"v{number}", "manual") for number in range(101)], "100 versions"),
        *(
            ([line(0, "rotated"), line(9, "failed", None, error=error), line(70, "fresh", "v2")], "no run can")
            for error in ("CircuitOpen", "TokenUnavailable", "CredentialsRefused")
        ),
        ([line(0, "rotated"), line(9, "failed", None, error="SecretStoreError"), line(70, "fresh", "v2")], None),
        ([line(0, "rotated"), line(9, "lost", None), line(70, "fresh", "v2"), line(80, "fresh", "v3")], "no run can"),
        ([line(0, "rotated"), line(700, "in_progress", left=1100), line(699.5, "rotated", "v2", took=9)], None),
        (
            [line(0, "rotated"), line(700, "in_progress", left=1100), line(630, "lost", None)],
            "no other run was in progress",
        ),
        (
            [line(0, "rotated"), Line(300, 301, "too_soon", "default", "renew", "rejected", "v1", 1500)],
            "old enough to be replaced",
        ),
        # A killed run has published v1 just after v0, or v1 has replaced v0 just before the first line.
        ([line(1, "rotated", "v0"), KILLED, fresh(4), fresh(60)], None),
        ([line(1, "rotated", "v0"), fresh(4), fresh(60)], "never comes back"),
        ([KILLED, fresh(4), fresh(4.5, "v0"), fresh(60)], None),
        ([fresh(4), fresh(4.5, "v0"), fresh(60)], None),
        ([fresh(4, "v0"), fresh(60)], None),
        ([fresh(4, "v0"), fresh(40, "v0"), fresh(60)], "no run can"),
        ([line(-9, "failed", None), KILLED, fresh(4), fresh(4.5, "v0"), fresh(60)], None),
        ([line(-9, "lost", None), KILLED, fresh(4), fresh(4.5, "v0"), fresh(5, "v2")], None),
        (
            [line(-9, "failed", None, error="CircuitOpen"), KILLED, fresh(4), fresh(4.5, "v0"), fresh(5, "v2")],
            "no run can",
        ),
        ([KILLED, fresh(4), fresh(60), fresh(70, "v0")], "no run can"),
        ([line(0, "rotated"), KILLED, fresh(60), fresh(120, "v2")], "no run can"),
        # The failed run may have published a token that expired before a line could show it.
        ([line(0, "rotated"), LOST_ANSWER, line(900, "rotated", "v2", "watchdog")], None),
        ([line(800, "rotated"), LOST_ANSWER, line(900, "rotated", "v2", "watchdog")], "FRESH, so the watchdog keeps"),
        # The token was issued at up to 55 seconds before the line.
        ([line(60, "rotated", left=1745, took=55), line(1507, "rotated", "v2", "watchdog")], None),
        ([line(60, "rotated", left=1745, took=55), line(1500, "rotated", "v2", "watchdog")], "FRESH, so the watchdog"),
    ],
)
def test_a_line_may_follow_others_or_is_refused(lines, why):
    if why is None:
        check(lines)
        return
    with pytest.raises(Impossible, match=re.escape(why)):
        check(lines)


def test_a_promotion_of_a_staged_token_is_recognized_by_its_warning():
    """For such a token, the log does not show how long it was valid in all."""
    system = with_token()
    leave_staged(system)
    assert system.rotate().outcome == "rotated"
    assert LEFT_STAGED in system.invocation.warnings


def command(text, tmp_path):
    path = tmp_path / "export.json"
    path.write_text(text)
    environment = {"PYTHONPATH": str(ROOT / "functions")}
    tool = [sys.executable, ROOT / "infra" / "tools" / "conformance.py", path]
    return subprocess.run(tool, env=environment, capture_output=True, text=True, check=False)


def test_the_command_prints_its_result(log, tmp_path):
    accepted = command(exported([*log, *log[:4]]), tmp_path)
    assert (accepted.returncode, accepted.stderr) == (0, "")
    assert accepted.stdout == "Accepted: 64 runs for default.\n4 lines were doubled, and 0 were truncated.\n"
    refused = command(exported(changed(log, of(log, "fresh")[3], version_id="0" * 32)), tmp_path)
    assert refused.returncode == 1
    reason, shown = refused.stdout.splitlines()
    assert reason.startswith("This line cannot have happened: version 00000000000000000000000000000000 is published")
    assert json.loads(shown)["version_id"] == "0" * 32
    nothing = command("{}", tmp_path)
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert "does not contain a line of the functions" in nothing.stderr


def test_the_page_names_existing_log_groups_and_refusals():
    page, template_text = PAGE.read_text(), (ROOT / "template.yaml").read_text()
    assert "\nconformance: " in (ROOT / "Makefile").read_text()
    assert re.search(r"make conformance LOG=\S+", page)
    for group in set(re.findall(r"/aws/lambda/talend-token-(\w+)", page)):
        assert f"/aws/lambda/${{AWS::StackName}}-{group}" in template_text
    refusals = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    source = (ROOT / "infra" / "tools" / "log_specification.py").read_text()
    source += (ROOT / "infra" / "tools" / "conformance.py").read_text()
    assert refusals
    assert [refusal for refusal in refusals if refusal not in source] == []
