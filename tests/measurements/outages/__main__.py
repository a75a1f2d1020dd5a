"""`make charts`: simulate outages of the token endpoint, print what they cost, and draw it for light and dark pages."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import matplotlib as mpl
from matplotlib import style
from matplotlib.figure import Figure

from outages.simulation import LONGEST_MINUTES, OUTAGES_PER_LENGTH, Clockwork, Cost, costs, mean_minutes

ROOT = Path(__file__).parents[3]
BANDS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, 45), (46, LONGEST_MINUTES))
TITLE = "The watchdog brings a token within a minute of Talend's return"
SUBTITLE = "Minutes without a valid token: mean of {outages:,} simulated outages that start at any time"
EXAMPLE_MINUTES = 20
# A style and two colors, which differ also for those who cannot tell red from green.
THEMES = {"light": ("default", "#b35900", "#0860ca"), "dark": ("dark_background", "#f0883e", "#58a6ff")}
# Text stays text, and the file is the same in each run.
RULES = {
    "svg.fonttype": "none",
    "svg.hashsalt": "talend-token",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "path.simplify": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "figure.titleweight": "bold",
    "grid.alpha": 0.3,
    "legend.frameon": False,
    **{f"axes.spines.{side}": False for side in ("top", "right", "left")},
}


def table(by_length: Sequence[Sequence[Cost]]) -> Iterator[str]:
    """Yield the lines of the table in docs/how-it-works.md."""
    yield "| minutes down | schedule and Lambda's retries: mean (worst) | with the watchdog | no wait at all |"
    yield "|---|---|---|---|"
    for shortest, longest in BANDS:
        some = list(chain(*by_length[shortest - 1 : longest]))
        worst = {clockwork: max(cost[clockwork] for cost in some) / 60 for clockwork in Clockwork}
        cells = [f"{mean_minutes(some, clockwork):.1f} ({worst[clockwork]:.1f})" for clockwork in Clockwork]
        yield f"| {shortest} to {longest} | {' | '.join(cells)} |"


def chart(by_length: Sequence[Sequence[Cost]], *colors: str) -> Figure:
    """Return the chart in the style of the moment, with the colors of the schedule and of the watchdog."""
    lengths, at = range(1, LONGEST_MINUTES + 1), EXAMPLE_MINUTES
    schedule, watchdog, oracle = ([mean_minutes(some, clockwork) for some in by_length] for clockwork in Clockwork)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(lengths, watchdog, schedule, color=colors[0], alpha=0.12, label="waiting for the next tick")
    axes.plot(lengths, schedule, color=colors[0], linewidth=2.5, label="schedule and Lambda's retries")
    axes.plot(lengths, watchdog, color=colors[1], linewidth=2.5, label="schedule and watchdog")
    (least,) = axes.plot(lengths, oracle, linewidth=1, linestyle="--", label="no wait at all")
    least.set_color(mpl.rcParams["text.color"])
    for minutes, beside, align in ((schedule[at - 1], (-8, 2), "right"), (watchdog[at - 1], (8, -8), "left")):
        axes.plot(at, minutes, "o", color=mpl.rcParams["text.color"])
        axes.annotate(f"{minutes:.0f} minutes", (at, minutes), beside, textcoords="offset points", ha=align)
    axes.set(xlim=(0, LONGEST_MINUTES), ylim=(0, LONGEST_MINUTES), xlabel="minutes that the token endpoint is down")
    axes.set_title(SUBTITLE.format(outages=sum(map(len, by_length))))
    figure.suptitle(TITLE, x=0.01, ha="left")
    axes.legend()
    return figure


def main() -> None:
    """Simulate, print and draw."""
    parser = argparse.ArgumentParser(prog="make charts", description=__doc__)
    shown = f"outages of each length from 1 to {LONGEST_MINUTES} minutes (default {OUTAGES_PER_LENGTH})"
    parser.add_argument("--outages", type=int, default=OUTAGES_PER_LENGTH, help=shown)
    by_length = costs(parser.parse_args().outages)
    print("Minutes without a valid token:\n")
    print(*table(by_length), sep="\n")
    for name, (base, *colors) in THEMES.items():
        with style.context([base, RULES]):
            path = ROOT / "docs" / "charts" / f"outages-{name}.svg"
            chart(by_length, *colors).savefig(path, transparent=True, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
