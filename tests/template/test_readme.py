"""The README and SECURITY.md are true: what they name exists, and their tables say what the code says."""

import re
from pathlib import Path

import pytest

from rotator.domain.result import Outcome

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()


def table(heading, text=README):
    """The rows of the first table after a heading or a line, as lists of cells."""
    lines = text[text.index(heading) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|--"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def named_tests():
    """The file and the test of each `path::test` in the table of guarantees; `…` stands for the file above."""
    path = None
    for _, shown_by in table("## What it guarantees"):
        reference = re.match(r"`([^`:]+)(?:::(\w+))?`", shown_by)
        path = path if reference[1] == "…" else reference[1]
        yield pytest.param(path, reference[2] or "", id=f"{path}::{reference[2]}")


@pytest.mark.parametrize(("path", "test"), list(named_tests()))
def test_every_test_that_is_named_exists(path, test):
    assert f"def {test}" in (ROOT / path).read_text()


@pytest.mark.parametrize("threat", table("## Threat model", SECURITY), ids=lambda row: row[0])
def test_every_test_that_a_threat_is_shown_by_exists(threat):
    who, can, what_stops_more, shown_by, what_remains = threat
    assert all((who, can, what_stops_more, what_remains))
    named = shown_by.split(", ")
    for name in named:
        reference = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", name)
        assert reference, name
        assert f"def {reference[2]}(" in (ROOT / reference[1]).read_text(), name


@pytest.mark.parametrize("path", sorted(set(re.findall(r"""(?:\]\(|src="|srcset=")([\w./-]+)["\)]""", README))))
def test_every_file_that_is_linked_exists(path):
    assert (ROOT / path).exists()


def test_the_configuration_table_is_the_templates(template):
    documented = {name.strip("`"): default.strip("`") for name, default, _ in table("### Configuration")}
    assert documented == {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}


def test_every_outcome_is_explained():
    rotations = {outcome.strip("`") for outcome, _ in table("**Force a rotation**")}
    renewals = {outcome.strip("`") for outcome, _, _ in table("The answer holds no token")}
    waiting = {"waiting_for_credentials", "ignored"}
    assert rotations == {"rotated", "fresh", "unchanged", "superseded", "in_progress", "checked", *waiting}
    assert renewals - {"a function error"} == {
        "rotated",
        "superseded",
        "in_progress",
        "too_soon",
        "budget_exhausted",
    }
    assert set(Outcome) - rotations - renewals == set()


def test_every_alarm_is_in_the_runbook(alarms):
    assert {name.strip("`") for name, _ in table("**Alarms** go to")} == set(alarms)


def test_the_consumer_that_is_shown_is_the_one_that_is_deployed():
    assert (ROOT / "infra" / "consumer" / "app.py").read_text() in README


def test_every_command_of_the_quick_start_is_there():
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = set(re.findall(r"make (\w+)", README))
    assert {"demo", "test", "check", "deploy", "lock"} <= commands <= {*targets, "and"}
