"""`make mutants`: run mutmut in the current directory and account for every change that no test notices.

It fails if a change survives that `explained.toml` has no reason for. Arguments select mutants:
"rotator.domain.policy.*".
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import libcst
from mutmut.__main__ import cli
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.mutators import mutation_operators, operator_string
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files

EXPLANATIONS = Path(__file__).with_name("explained.toml")
TYPES, TESTS, TIME, SURVIVED, UNCHECKED = "caught by type check", "killed", "timeout", "survived", "not checked"
EXPLAINED = "explained"


def main(names: Sequence[str]) -> int:
    """Run the mutants, print the survivors, and return the exit status."""
    mutation_operators[mutation_operators.index((libcst.BaseString, operator_string))] = (libcst.BaseString, _strings)
    cli(["run", *names], standalone_mode=False)
    explained = _explained()
    total: Counter[str] = Counter()
    print()
    for path in sorted(walk_mutatable_files()):
        module = ".".join(path.with_suffix("").parts[1:])
        for mutant, status in _outcomes(path):
            change = _change(get_diff_for_mutant(mutant, path=path)) if status == SURVIVED else ""
            if (module, change) in explained:
                status = EXPLAINED
            elif status == SURVIVED:
                print(f"{module}\n{change}\n")
            total[status] += 1
    noticed = total[TYPES] + total[TESTS] + total[TIME]
    print(
        f"{noticed} of {total.total()} mutants were noticed ({noticed / total.total():.1%}): {total[TYPES]} by the "
        f"type checker, {total[TESTS]} by tests, {total[TIME]} by taking too long; {total[EXPLAINED]} are explained, "
        f"{total[SURVIVED]} are not"
    )
    return 1 if total[SURVIVED] else 0


def _strings(node: libcst.BaseString) -> Iterable[libcst.BaseString]:
    """Return mutmut's changes of a string, but none of a message, because no test holds its words."""
    return [] if isinstance(node, libcst.SimpleString) and " " in node.value else operator_string(node)


def _outcomes(path: Path) -> Iterable[tuple[str, str]]:
    """Yield each mutant of a file that was tried, with its status."""
    results = SourceFileMutationData(path=path)
    results.load()
    for mutant, exit_code in results.exit_code_by_key.items():
        status = status_by_exit_code[exit_code]
        if status != UNCHECKED:
            yield mutant, status if status in (TYPES, TESTS, TIME) else SURVIVED


def _change(diff: str) -> str:
    """Return the lines that a diff removes and adds, without their indentation."""
    changed = [line for line in diff.splitlines() if line.startswith(("-", "+")) and line[:3] not in ("---", "+++")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed)


def _explained() -> set[tuple[str, str]]:
    entries = tomllib.loads(EXPLANATIONS.read_text())["explained"]
    return {(entry["module"], change.strip()) for entry in entries for change in entry["changes"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
