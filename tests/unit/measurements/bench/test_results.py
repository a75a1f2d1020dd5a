"""The page of benchmarks shows the results that are kept, and its summary shows figures of its tables."""

import re

import pytest

from bench.measurement import Table
from bench.results import DOCS, MARK, keep, load, page

ORDER = {"warm": "", "cold": ""}


def table(title, cell, **figure):
    return Table(title, ["", "ms"], [["ours", cell]], "How to read it.", figure)


def test_a_run_replaces_only_the_tables_of_its_own_subject(tmp_path):
    keep("cold", "Monday.", [table("Cold", "1")], ORDER, tmp_path, tmp_path)
    keep("warm", "Monday.", [table("Warm", "2")], ORDER, tmp_path, tmp_path)
    keep("cold", "Tuesday.", [table("Cold", "3")], ORDER, tmp_path, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.index("Monday.") < text.index("## Warm") < text.index("Tuesday.") < text.index("## Cold")
    assert "| ours | 3  |" in text
    assert "| ours | 1  |" not in text


def test_the_page_shows_the_results_that_are_kept():
    assert (DOCS / "benchmarks.md").read_text().partition(MARK)[2] == "\n" + page(load())


# --- the summary that is written by hand ---

SUMMARY = {
    "| warm call": "A warm call for the token",
    "| 500 threads with an expired": "Many callers meet an expired token",
    "| 500 threads with a 401": "Many callers meet a rejected token",
    "| cold start": "A cold start, without a limit",
    "| the same by the clock": "A cold start, 256 MB of memory, 14.5% of a processor",
    "| calls of AWS": "A rotation by a warm function, each answered after 5 ms",
    "| a warm rotation": "A rotation by a warm function, each answered after 5 ms",
    "| the same, against": "A rotation by a warm function, each answered after 5 ms",
}


def numbers(text):
    return [number.replace(",", "") for number in re.findall(r"(?<![-\w])\d[\d,]*(?:\.\d+)?", text)]


@pytest.mark.parametrize(("line", "title"), SUMMARY.items())
def test_a_figure_of_the_summary_is_in_its_table(line, title):
    by_hand = (DOCS / "benchmarks.md").read_text().partition(MARK)[0]
    (found,) = [text for text in by_hand.splitlines() if text.startswith(line)]
    (rows,) = [one["rows"] for subject in load().values() for one in subject["tables"] if one["title"] == title]
    measured = [float(number) for row in rows for cell in row for number in numbers(cell)]
    shown = numbers(found.split("|", 2)[2])
    assert shown
    for number in shown:
        decimals = len(number.partition(".")[2])
        assert any(abs(value - float(number)) <= 0.5 * 10**-decimals + 1e-9 for value in measured), number


def test_every_row_of_the_summary_is_compared():
    by_hand = (DOCS / "benchmarks.md").read_text().partition(MARK)[0]
    rows = [line for line in by_hand.splitlines() if line.startswith("| ") and not line.startswith("| |")]
    assert len(rows) == len(SUMMARY)
