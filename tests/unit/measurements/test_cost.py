"""docs/cost-and-limits.md and README.md state the computed costs and limits.

`tests/template/test_cost.py` compares the counts behind them with the templates.
"""

import re
from pathlib import Path

import pytest

from cost import LIMITS, items, metrics_usd

MOST_USD = 1.90
ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "cost-and-limits.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")]


def number(cell):
    return float(re.search(r"[0-9,.]*[0-9]", cell)[0].replace(",", ""))


def says(cell, value):
    """Compare with the decimals shown, or within 2 % if there are none."""
    decimals = len(cell.partition(".")[2])
    return abs(number(cell) - value) <= max(0.5 * 10**-decimals + 1e-9, 0 if decimals else 0.02 * value)


def row(start):
    return next(cells for cells in ROWS if cells[0].startswith(start))


def counts():
    return [int(number(cell)) for cell in row("accounts")[1:-1]]


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
    assert items()["lock table"] < number(row("the lock table")[-1])


def test_the_sum_of_the_page_and_of_the_readme_is_the_computed_one():
    total = sum(items().values())
    (of_readme,) = re.findall(r"([0-9.]+) USD a month", (ROOT / "README.md").read_text())
    assert says(row("**together**")[-1].strip("*"), total)
    assert says(of_readme, total)
    assert total <= MOST_USD


def test_the_documented_month_is_computed_for_each_number_of_accounts():
    for cell, count in zip(row("USD a month")[1:-1], counts(), strict=True):
        assert says(cell, sum(items(count).values())), (count, cell)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_the_documented_share_of_a_quota_is_the_computed_one(limit):
    cells = row(limit.name)
    for cell, count in zip(cells[1:-1], counts(), strict=True):
        taken = limit.taken(count)
        assert says(cell, max(1, taken) if limit.name.startswith("functions") else taken), (count, cell)
    assert number(cells[-1]) == limit.quota


def test_the_limits_are_reached_in_the_documented_order():
    at = {limit.name: (limit.quota - limit.shared) / limit.each for limit in LIMITS}
    assert sorted(at, key=at.get)[:4] == [
        *("CloudFormation stacks", "managed policies", "alarms", "writes of Secrets Manager a second")
    ]
    (documented,) = re.findall(r"50 writes a second, at about ([0-9,]+) accounts", PAGE)
    assert says(documented, at["writes of Secrets Manager a second"])


def test_metrics_get_cheaper_by_tiers():
    assert metrics_usd(10_000) == pytest.approx(3_000)
    assert metrics_usd(10_001) == pytest.approx(3_000.10)
    assert metrics_usd(250_001) == pytest.approx(3_000 + 24_000 + 0.05)


def test_a_metric_costs_by_the_hours_in_which_it_is_written():
    """A month has 720 of them."""
    assert items()["metrics"] == pytest.approx(0.30 * (1 + 5 * 24 / 720))
