"""docs/cost-and-limits.md and README.md state the computed costs and limits.

`tests/template/test_cost.py` compares the counts behind them with the templates.
"""

import re
from pathlib import Path

import pytest

from cost import LIMITS, items

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "cost-and-limits.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")]


def number(cell):
    return float(re.search(r"[0-9,.]*[0-9]", cell)[0].replace(",", ""))


def says(cell, value):
    """Compare with the decimals shown, or within 2 % if there are none."""
    decimals = len(cell.strip("*").partition(".")[2])
    return abs(number(cell) - value) <= max(0.5 * 10**-decimals + 1e-9, 0 if decimals else 0.02 * value)


def row(start):
    return next(cells for cells in ROWS if cells[0].startswith(start))


COUNTS = [int(number(cell)) for cell in row("accounts")[1:-1]]


def test_each_documented_price_and_their_sum_are_the_computed_ones():
    computed, together = items(), sum(items().values())
    rows = ROWS[ROWS.index(["item", "USD"]) + 2 :]
    for (item, usd), cells in zip(computed.items(), rows, strict=False):
        assert number(cells[-1]) > usd if "below" in cells[-1] else says(cells[-1], usd), item
    (of_readme,) = re.findall(r"([0-9.]+) USD a month", (ROOT / "README.md").read_text())
    for cell in (row("**together**")[-1], of_readme):
        assert says(cell, together)


def test_the_documented_month_is_computed_for_each_number_of_accounts():
    for cell, count in zip(row("USD a month")[1:-1], COUNTS, strict=True):
        assert says(cell, sum(items(count).values())), (count, cell)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_the_documented_share_of_a_quota_is_the_computed_one(limit):
    *cells, quota = row(limit.name)[1:]
    for cell, count in zip(cells, COUNTS, strict=True):
        taken = limit.taken(count)
        assert says(cell, max(1, taken) if limit.name.startswith("functions") else taken), (count, cell)
    assert number(quota) == limit.quota


def test_the_limits_are_reached_in_the_documented_order():
    at = {limit.name: (limit.quota - limit.shared) / limit.each for limit in LIMITS}
    assert sorted(at, key=at.get)[:4] == [
        *("CloudFormation stacks", "managed policies", "alarms", "writes of Secrets Manager a second")
    ]
    (documented,) = re.findall(r"50 writes a second, at about ([0-9,]+) accounts", PAGE)
    assert says(documented, at["writes of Secrets Manager a second"])
