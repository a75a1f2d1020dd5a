"""docs/cost-and-limits.md states the computed costs and limits."""

import re
from pathlib import Path

import pytest

from bench.money import HABITS, LIMITS, items, metrics_usd

MOST_USD = 1.90
DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "cost-and-limits.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")]


def number(cell):
    return float(re.search(r"[0-9,.]*[0-9]", cell)[0].replace(",", ""))


def says(cell, value):
    """Rounded to the decimals shown, or, where there are none, to 2 %."""
    decimals = len(cell.partition(".")[2])
    return abs(number(cell) - value) <= max(0.5 * 10**-decimals + 1e-9, 0 if decimals else 0.02 * value)


def row(start):
    return next(cells for cells in ROWS if cells[0].startswith(start))


@pytest.mark.parametrize(
    ("start", "item"),
    [
        ("two secrets", "secrets"),
        ("43,200 checks", "Secrets Manager's calls"),
        ("one custom metric", "metrics"),
        ("three alarms", "alarms"),
        ("44,928 invocations", "invocations"),
        ("44,928 schedules", "schedules"),
        ("62 MB of logs", "logs"),
    ],
)
def test_each_documented_price_is_the_computed_one(start, item):
    assert says(row(start)[-1], items()[item])


def test_the_lock_table_costs_less_than_documented():
    assert items()["lock table"] < number(row("the lock table")[-1])


def test_an_account_costs_at_most_what_it_may():
    assert sum(items().values()) <= MOST_USD


def test_a_metric_costs_by_the_hours_in_which_it_is_written():
    """A month has 720 of them; the five metrics that are written rarely count as a sixth of one that always is."""
    assert items()["metrics"] == pytest.approx(0.30 * (1 + 5 * 24 / 720))


def test_the_documented_sum_is_the_computed_one():
    assert says(row("**together**")[-1].strip("*"), sum(items().values()))


def test_the_readme_names_the_same_sum():
    (found,) = re.findall(r"([0-9.]+) USD a month", (DOCS.parent / "README.md").read_text())
    assert says(found, sum(items().values()))


def test_the_documented_month_is_computed_for_each_number_of_accounts():
    counts = [int(number(cell)) for cell in row("accounts")[1:-1]]
    assert len(counts) >= 3
    for cell, count in zip(row("USD a month")[1:], counts, strict=False):
        assert says(cell, sum(items(count).values())), (count, cell)


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.name != "secrets"], ids=lambda limit: limit.name)
def test_the_documented_share_of_a_quota_is_the_computed_one(limit):
    cells = row(limit.name.partition(",")[0])
    counts = [int(number(cell)) for cell in row("accounts")[1:-1]]
    for cell, count in zip(cells[1:-1], counts, strict=True):
        taken = limit.taken(count)
        assert says(cell, max(1, taken) if limit.name.startswith("functions") else taken), (count, cell)
    assert number(cells[-1]) == limit.quota


def test_metrics_get_cheaper_by_tiers():
    assert metrics_usd(10_000) == pytest.approx(3_000)
    assert metrics_usd(10_001) == pytest.approx(3_000.10)
    assert metrics_usd(250_001) == pytest.approx(3_000 + 24_000 + 0.05)


def test_the_rotator_costs_more_for_few_calls_and_less_for_many():
    ours, reads, mints, _ = (habit.usd(10_000) for habit in HABITS)
    assert mints < ours
    assert ours <= reads
    assert HABITS[0].usd(100_000_000) < HABITS[1].usd(100_000_000) / 50
