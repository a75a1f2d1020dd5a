"""The benchmarks' statistics, and the summary of their page, which is written by hand and shows the tables' figures."""

import re

from bench.__main__ import PAGE
from bench.measurement import Spread

SUMMARY = {
    "| warm call": "A warm call for the token",
    "| 500 threads with an expired": "Many callers meet an expired token",
    "| 500 threads with a 401": "Many callers meet a rejected token",
    "| cold start": "A cold start",
    "| a warm rotation": "A rotation by a warm function",
}


def numbers(text):
    return [number.replace(",", "") for number in re.findall(r"(?<![-\w])\d[\d,]*(?:\.\d+)?", text)]


def test_ratios_are_of_the_fastest_and_of_the_medians_apart():
    assert Spread.of([5, 1, 9, 3]) == Spread(1, 4, 9)
    assert Spread(500, 1000, 2000).text() == "1,000 (500 to 2,000)"
    assert Spread(30, 60, 90).cells(Spread(10, 40, 41), scale=2) == ("60 / 120 / 180", "3.00 / 1.50")


def test_the_figures_of_the_summary_are_in_the_tables():
    by_hand, *tables = PAGE.read_text().partition("<!-- ")
    sections = {text.partition("\n")[0]: text for text in "".join(tables).split("\n## ")}
    for start, title in SUMMARY.items():
        (line,) = [line for line in by_hand.splitlines() if line.startswith(start)]
        rows = "\n".join(row for row in sections[title].splitlines() if row.startswith("| "))
        measured = [float(number) for number in numbers(rows)]
        for number in numbers(line.split("|", 2)[2]):
            decimals = len(number.partition(".")[2])
            assert any(abs(value - float(number)) <= 0.5 * 10**-decimals + 1e-9 for value in measured), line
