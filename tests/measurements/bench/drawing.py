"""Draws what `make bench` kept, for light and for dark pages: `python -m bench.drawing`, with matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results import DOCS, figures, load
from outages.drawing import NO_METADATA, STYLE, THEMES, Theme

ROTATION = "A rotation by a warm function, each answered after 5 ms"


@dataclass(frozen=True)
class Bars:
    """One panel: a bar and its text for each row, ours first."""

    title: str
    values: Sequence[float]
    texts: Sequence[str]


@dataclass(frozen=True)
class Chart:
    """Rows with a name, and panels side by side."""

    name: str
    title: str
    subtitle: str
    rows: Sequence[str]
    panels: Sequence[Bars]


def rotation(found: Mapping[str, Any]) -> Chart:
    """A rotation's calls and time, with calls that take as long as AWS's might."""
    names = {
        "**talend-token**, the deployed package": "talend-token",
        "the usual handler: one client, one POST, one write": "usual handler",
        "four steps, one client kept": "four steps, one client",
        "four steps, a client in each": "four steps",
    }
    rows = [found[name] for name in names]
    calls, times = ([row[member] for row in rows] for member in ("AWS calls", "ms"))
    return Chart(
        "rotation",
        "A rotation: what its guarantees cost",
        "Less is better. Warm; each call is answered after 5 ms. The usual handler guarantees nothing",
        list(names.values()),
        [
            Bars("calls of AWS", calls, [f"{count}" for count in calls]),
            Bars("milliseconds", times, [f"{value:.0f} ms" for value in times]),
        ],
    )


def draw(chart: Chart, folder: Path) -> list[Path]:
    """Write `<name>-light.svg` and `<name>-dark.svg`."""
    paths = []
    for theme in THEMES:
        path = folder / f"{chart.name}-{theme.name}.svg"
        with mpl.rc_context(STYLE):
            _figure(chart, theme).savefig(path, metadata=NO_METADATA, facecolor=theme.background)
        paths.append(path)
    return paths


def _figure(chart: Chart, theme: Theme) -> Figure:
    height = 1.3 + 0.42 * len(chart.rows)
    figure = Figure(figsize=(8, height))
    for number, panel in enumerate(chart.panels):
        bottom, top = 0.12 / height, 1.05 / height
        axes = figure.add_axes((0.21 + 0.4 * number, bottom, 0.31, 1 - bottom - top))
        _panel(axes, panel, theme)
        axes.set_yticks(range(len(chart.rows)), chart.rows if number == 0 else [""] * len(chart.rows))
        axes.get_yticklabels()[0].set_weight("bold")
    figure.text(0.012, 1 - 0.3 / height, chart.title, color=theme.text, size=13, weight="bold")
    figure.text(0.012, 1 - 0.55 / height, chart.subtitle, color=theme.quiet)
    return figure


def _panel(axes: Axes, panel: Bars, theme: Theme) -> None:
    colours = [theme.watchdog, *[theme.schedule] * (len(panel.values) - 1)]
    axes.barh(range(len(panel.values)), panel.values, color=colours, height=0.6)
    for row, (value, text) in enumerate(zip(panel.values, panel.texts, strict=True)):
        axes.text(value + max(panel.values) * 0.02, row, text, color=theme.text, va="center")
    axes.invert_yaxis()
    axes.set_title(panel.title, color=theme.quiet, size=10, loc="left")
    axes.set_facecolor(theme.background)
    axes.set_xticks([])
    axes.set_xlim(0, max(panel.values) * 1.2)
    axes.tick_params(length=0, labelcolor=theme.text)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set_color(theme.quiet)


def main() -> None:
    """Draw what was measured; what was not is left as it is."""
    kept = load()
    if "warm_rotation" in kept:
        for path in draw(rotation(figures(kept, "warm_rotation", ROTATION)), DOCS / "charts"):
            print(f"wrote {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
