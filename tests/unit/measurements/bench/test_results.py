"""The page of benchmarks shows the results that are kept, and its summary shows figures of its tables."""

import re

import pytest

from bench.measurement import Table
from bench.results import MARK, PAGE, keep, load, markdown

BY_HAND, _, TABLES = PAGE.read_text().partition(MARK)


def test_a_run_replaces_only_the_tables_of_its_own_subject(tmp_path):
    results, page = tmp_path / "results.json", tmp_path / "page.md"
    results.write_text("{}")
    page.write_text(f"By hand.\n{MARK}Old.")
    for subject, day, cell in (("cold", "Monday.", "1"), ("warm", "Monday.", "2"), ("cold", "Tuesday.", "3")):
        table = Table(subject.title(), ["", "ms"], [["ours", cell]], "How to read it.")
        keep(subject, day, [table], ("warm", "cold"), results, page)
    text = page.read_text()
    assert text.startswith(f"By hand.\n{MARK}")
    assert text.index("Monday.") < text.index("## Warm") < text.index("Tuesday.") < text.index("## Cold")
    assert "| ours | 3  |" in text
    assert "| ours | 1  |" not in text


def test_the_page_shows_the_results_that_are_kept():
    assert markdown(load()) == TABLES


# --- the summary that is written by hand ---

ROTATION = "A rotation by a warm function"
SUMMARY = {
    "| warm call": "A warm call for the token",
    "| 500 threads with an expired": "Many callers meet an expired token",
    "| 500 threads with a 401": "Many callers meet a rejected token",
    "| cold start": "A cold start",
    "| calls of AWS": ROTATION,
    "| a warm rotation": ROTATION,
    "| the same, against": ROTATION,
}
LINES = [line for line in BY_HAND.splitlines() if line.startswith("| ") and not line.startswith("| |")]


def numbers(text):
    return [number.replace(",", "") for number in re.findall(r"(?<![-\w])\d[\d,]*(?:\.\d+)?", text)]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip())
def test_a_figure_of_the_summary_is_in_its_table(line):
    (title,) = [title for start, title in SUMMARY.items() if line.startswith(start)]
    (rows,) = [one["rows"] for subject in load().values() for one in subject["tables"] if one["title"] == title]
    measured = [float(number) for row in rows for cell in row for number in numbers(cell)]
    shown = numbers(line.split("|", 2)[2])
    assert shown
    for number in shown:
        decimals = len(number.partition(".")[2])
        assert any(abs(value - float(number)) <= 0.5 * 10**-decimals + 1e-9 for value in measured), number
