"""What is kept of the runs, and the page that is written of it."""

import pytest

from bench.measurement import Table
from bench.results import DOCS, MARK, figures, keep, load, page

ORDER = {"warm": "", "cold": ""}


def table(title, cell, **figure):
    return Table(title, ["", "ms"], [["ours", cell]], "How to read it.", figure)


def test_a_run_replaces_the_tables_of_its_own_subject_and_leaves_the_others(tmp_path):
    keep("cold", "Monday.", [table("Cold", "1")], ORDER, tmp_path, tmp_path)
    keep("warm", "Monday.", [table("Warm", "2")], ORDER, tmp_path, tmp_path)
    keep("cold", "Tuesday.", [table("Cold", "3")], ORDER, tmp_path, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.index("Monday.") < text.index("## Warm") < text.index("Tuesday.") < text.index("## Cold")
    assert "| ours | 3  |" in text
    assert "| ours | 1  |" not in text


def test_what_is_written_by_hand_stays(tmp_path):
    (tmp_path / "benchmarks.md").write_text(f"By hand.\n{MARK}Old tables.\n")
    keep("warm", "Monday.", [table("Warm", "2")], ORDER, tmp_path, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert text.startswith(f"By hand.\n{MARK}")
    assert "Old tables." not in text
    assert "## Warm" in text


def test_the_page_shows_the_results_that_are_kept():
    assert (DOCS / "benchmarks.md").read_text().partition(MARK)[2] == "\n" + page(load())


def test_conditions_that_are_the_same_are_said_once(tmp_path):
    keep("cold", "Monday.", [table("Cold", "1")], ORDER, tmp_path, tmp_path)
    keep("warm", "Monday.", [table("Warm", "2")], ORDER, tmp_path, tmp_path)
    assert (tmp_path / "benchmarks.md").read_text().count("Monday.") == 1


def test_a_subject_that_is_no_longer_measured_goes(tmp_path):
    keep("old", "Monday.", [table("Old", "1")], {"old": ""}, tmp_path, tmp_path)
    keep("warm", "Monday.", [table("Warm", "2")], ORDER, tmp_path, tmp_path)
    assert list(load(tmp_path)) == ["warm"]


def test_figures_are_found_by_subject_and_title(tmp_path):
    keep("warm", "Monday.", [table("Warm", "2", ours=2.5)], ORDER, tmp_path, tmp_path)
    assert figures(load(tmp_path), "warm", "Warm") == {"ours": 2.5}
    with pytest.raises(KeyError):
        figures(load(tmp_path), "warm", "Cold")
