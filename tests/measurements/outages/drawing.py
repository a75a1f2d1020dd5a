"""Draw what outages cost, for light and for dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from outages.simulation import LONGEST_MINUTES, Clockwork, Cost, mean_minutes

TITLE = "The watchdog brings a token within a minute of Talend's return"
SUBTITLE = "Minutes without a valid token: mean of {outages:,} simulated outages that start at any time"
EXAMPLE_MINUTES = 20
LABEL_MINUTES = 47


class Theme(NamedTuple):
    """Colors for a page of that kind, which differ also for those who cannot tell red from green."""

    name: str
    background: str
    text: str
    quiet: str
    grid: str
    schedule: str
    watchdog: str


# The backgrounds are those of GitHub's two themes.
THEMES = (
    Theme("light", "#ffffff", "#1f2328", "#59636e", "#d8dee4", "#b35900", "#0860ca"),
    Theme("dark", "#0d1117", "#e6edf3", "#9198a1", "#30363d", "#f0883e", "#58a6ff"),
)
# Text stays text, and the file is the same in each run.
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "talend-token",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    "font.size": 10,
    "path.simplify": False,
}
NO_METADATA = {"Date": None, "Creator": None}


def draw(by_length: Sequence[Sequence[Cost]], folder: Path) -> list[Path]:
    """Write `outages-light.svg` and `outages-dark.svg` into the folder."""
    paths = [folder / f"outages-{theme.name}.svg" for theme in THEMES]
    for path, theme in zip(paths, THEMES, strict=True):
        with mpl.rc_context(STYLE):
            _figure(by_length, theme).savefig(path, metadata=NO_METADATA, facecolor=theme.background)
    return paths


def _figure(by_length: Sequence[Sequence[Cost]], theme: Theme) -> Figure:
    lengths = range(1, LONGEST_MINUTES + 1)
    schedule, watchdog, oracle = ([mean_minutes(some, clockwork) for some in by_length] for clockwork in Clockwork)
    figure = Figure(figsize=(8, 4.5))
    axes = figure.add_axes((0.06, 0.115, 0.91, 0.68))
    axes.fill_between(lengths, watchdog, schedule, color=theme.schedule, alpha=0.12, linewidth=0)
    axes.plot(lengths, schedule, color=theme.schedule, linewidth=2.5)
    axes.plot(lengths, watchdog, color=theme.watchdog, linewidth=2.5)
    axes.plot(lengths, oracle, color=theme.text, linewidth=1, linestyle=(0, (4, 3)))
    _scales(axes, theme)
    _labels(axes, theme, schedule, watchdog)
    figure.text(0.012, 0.94, TITLE, color=theme.text, size=13, weight="bold")
    figure.text(0.012, 0.875, SUBTITLE.format(outages=sum(map(len, by_length))), color=theme.quiet)
    return figure


def _scales(axes: Axes, theme: Theme) -> None:
    axes.set_facecolor(theme.background)
    axes.set_xlim(0, LONGEST_MINUTES)
    axes.set_ylim(0, LONGEST_MINUTES)
    axes.set_xticks(range(0, LONGEST_MINUTES + 1, 10))
    axes.set_yticks(range(0, LONGEST_MINUTES + 1, 10))
    axes.set_xlabel("minutes that the token endpoint is down", color=theme.quiet)
    axes.tick_params(length=0, labelcolor=theme.quiet)
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(theme.quiet)


def _labels(axes: Axes, theme: Theme, schedule: Sequence[float], watchdog: Sequence[float]) -> None:
    axes.text(46, 41.3, "schedule and Lambda's retries", color=theme.schedule, weight="bold", ha="right")
    axes.text(37.5, 16, "schedule and watchdog", color=theme.watchdog, weight="bold")
    axes.text(37.5, 12, "dashed: no wait at all", color=theme.text)
    middle = (schedule[LABEL_MINUTES - 1] + watchdog[LABEL_MINUTES - 1]) / 2
    along = {"ha": "center", "va": "center", "rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    axes.text(LABEL_MINUTES, middle, "waiting for the next tick", color=theme.schedule, **along)
    at = EXAMPLE_MINUTES
    before, after = schedule[at - 1], watchdog[at - 1]
    axes.plot([at, at], [after, before], color=theme.text, linewidth=1, marker="o", markersize=4)
    axes.text(at - 1, before + 1.5, f"{before:.0f} minutes", color=theme.text, ha="right")
    axes.text(at + 1, after - 3.2, f"{after:.0f} minutes", color=theme.text)
