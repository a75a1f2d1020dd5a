"""Keep what the last run of each subject found as JSON, and write it into docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measurement import Table

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[3] / "docs" / "benchmarks.md"
# The page is written by hand up to this line.
MARK = "<!-- `make bench` writes all that follows. -->\n"


def load(results: Path = RESULTS) -> dict[str, Any]:
    """Return the conditions and tables of each subject."""
    kept: dict[str, Any] = json.loads(results.read_text())
    return kept


def keep(
    subject: str,
    conditions: str,
    tables: Sequence[Table],
    order: Iterable[str],
    results: Path = RESULTS,
    page: Path = PAGE,
) -> None:
    """Replace a subject's tables, and write the page, with the subjects in this order."""
    kept = load(results) | {subject: {"conditions": conditions, "tables": [table._asdict() for table in tables]}}
    kept = {name: kept[name] for name in order if name in kept}
    results.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    page.write_text(page.read_text().partition(MARK)[0] + MARK + markdown(kept))


def markdown(kept: Mapping[str, Any]) -> str:
    """Return what follows the mark in the page. Conditions are repeated where they differ from those before."""
    parts, before = [""], None
    for found in kept.values():
        if found["conditions"] != before:
            before = found["conditions"]
            parts.append(before)
        parts += [Table(**table).markdown() for table in found["tables"]]
    return "\n".join(parts)
