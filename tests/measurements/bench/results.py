"""What the last run of each subject found: kept as JSON, and written out as the page beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.measurement import Table

FOLDER = Path(__file__).parent
DOCS = Path(__file__).parents[3] / "docs"
INTRODUCTION = """# Results

Written by `make bench`, for each subject by its last run that was not `--quick`. One machine's figures: compare ratios,
not times, and expect others elsewhere. Draw them again with the same command.
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
    """Put a subject's tables in the place of those before, and write the page, with the subjects in this order."""
    kept = load(folder)
    kept[subject] = {"conditions": conditions, "tables": [asdict(table) for table in tables]}
    kept = {name: kept[name] for name in order if name in kept}
    (folder / "results.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    (docs / "benchmarks.md").write_text(page(kept))


def page(kept: Mapping[str, Any]) -> str:
    """In Markdown. Conditions are said again where they are others than of the subject before."""
    parts = [INTRODUCTION]
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
