"""Keeps what the last run of each subject found as JSON, and writes it out in docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measurement import Table

FOLDER = Path(__file__).parent
DOCS = Path(__file__).parents[3] / "docs"
# What stands before it in the page is written by hand.
MARK = "<!-- `make bench` writes all that follows. -->\n"
HOW_TO_READ = """## How to read the tables

Each subject shows its last run that was not `--quick`. The figures are those of one machine: compare ratios, not times.
"""


def load(folder: Path = FOLDER) -> dict[str, Any]:
    """All that is kept, by subject: its conditions and its tables."""
    path = folder / "results.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return kept


def keep(
    subject: str,
    conditions: str,
    tables: Sequence[Table],
    order: Mapping[str, str],
    folder: Path = FOLDER,
    docs: Path = DOCS,
) -> None:
    """Replace a subject's tables, and write the page, with the subjects in this order."""
    kept = load(folder)
    kept[subject] = {"conditions": conditions, "tables": [asdict(table) for table in tables]}
    kept = {name: kept[name] for name in order if name in kept}
    (folder / "results.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    path = docs / "benchmarks.md"
    by_hand = path.read_text().partition(MARK)[0] if path.exists() else ""
    path.write_text(by_hand + MARK + "\n" + page(kept))


def page(kept: Mapping[str, Any]) -> str:
    """Return the tables in Markdown. Conditions are repeated where they differ from those of the subject before."""
    parts = [HOW_TO_READ]
    said = ""
    for found in kept.values():
        if found["conditions"] != said:
            said = found["conditions"]
            parts.append(said)
        parts += [Table(**table).markdown() for table in found["tables"]]
    return "\n".join(parts)


def figures(kept: Mapping[str, Any], subject: str, title: str) -> dict[str, Any]:
    """The figures of one table, for a chart. Raises `KeyError` if that was never measured."""
    for table in kept[subject]["tables"]:
        if table["title"] == title:
            found: dict[str, Any] = table["figures"]
            return found
    raise KeyError(title)
