"""`make charts`: simulate outages of the token endpoint, print what they cost, and draw it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from outages.drawing import draw
from outages.simulation import LONGEST_MINUTES, OUTAGES_PER_LENGTH, Clockwork, Cost, costs, mean_minutes

ROOT = Path(__file__).parents[3]
_BANDS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, 45), (46, LONGEST_MINUTES))


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="make charts", description=__doc__)
    parser.add_argument(
        "--outages",
        type=int,
        default=OUTAGES_PER_LENGTH,
        help=f"outages of each length from 1 to {LONGEST_MINUTES} minutes (default {OUTAGES_PER_LENGTH})",
    )
    options = parser.parse_args()
    if options.outages < 1:
        parser.error("--outages must be 1 or more")
    return options


def table(by_length: Sequence[Sequence[Cost]]) -> Iterator[str]:
    """Yield the lines of the table in docs/how-it-works.md."""
    yield "| minutes down | schedule and Lambda's retries: mean (worst) | with the watchdog | no wait at all |"
    yield "|---|---|---|---|"
    for shortest, longest in _BANDS:
        some = list(chain(*by_length[shortest - 1 : longest]))
        worst = {clockwork: max(cost[clockwork] for cost in some) / 60 for clockwork in Clockwork}
        cells = [f"{mean_minutes(some, clockwork):.1f} ({worst[clockwork]:.1f})" for clockwork in Clockwork]
        yield f"| {shortest} to {longest} | {' | '.join(cells)} |"


def main() -> None:
    """Simulate, print and draw."""
    by_length = costs(arguments().outages)
    print("Minutes without a valid token:\n")
    print(*table(by_length), sep="\n")
    print()
    for path in draw(by_length, ROOT / "docs" / "charts"):
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
