"""`make mutants`: runs mutmut in the current directory and accounts for every change that no test noticed.

Fails if one survives that `explained.toml` has no reason for. Arguments choose mutants: "rotator.domain.policy.*".
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

EXPLAINED = Path(__file__).with_name("explained.toml")
TYPES, TESTS, TIME, SURVIVED, UNCHECKED = "caught by type check", "killed", "timeout", "survived", "not checked"


def main(names: Sequence[str]) -> int:
    mutation_operators[mutation_operators.index((libcst.BaseString, operator_string))] = (libcst.BaseString, _strings)
    cli(["run", *names], standalone_mode=False)
    explained = _explained()
    total: Counter[str] = Counter()
    unexplained = []
    print(f"\n{'module':32}{'types':>8}{'tests':>8}{'time':>8}{'explained':>11}{'survived':>10}")
    for path in sorted(walk_mutatable_files()):
        module = ".".join(path.with_suffix("").parts[1:])
        found: Counter[str] = Counter()
        for mutant, status in _outcomes(path):
            change = _change(get_diff_for_mutant(mutant, path=path)) if status == SURVIVED else ""
            if (module, change) in explained:
                status = "explained"
            elif status == SURVIVED:
                unexplained.append(f"{module}\n{change}")
            found[status] += 1
        if found.total():
            print(
                f"{module:32}{found[TYPES]:8}{found[TESTS]:8}{found[TIME]:8}{found['explained']:11}{found[SURVIVED]:10}"
            )
        total += found
    noticed = total[TYPES] + total[TESTS] + total[TIME]
    print(
        f"\n{noticed} of {total.total()} mutants were noticed ({noticed / total.total():.1%}): {total[TYPES]} by the "
        f"type checker, {total[TESTS]} by tests, {total[TIME]} by taking too long; {total['explained']} are explained, "
        f"{len(unexplained)} are not"
    )
    print(*unexplained, sep="\n\n")
    return 1 if unexplained else 0


def _strings(node: libcst.BaseString) -> Iterable[libcst.BaseString]:
    """mutmut's changes of a string, but for those of a message: what a person is told, no test holds to the letter."""
    return [] if isinstance(node, libcst.SimpleString) and " " in node.value else operator_string(node)


def _outcomes(path: Path) -> Iterable[tuple[str, str]]:
    results = SourceFileMutationData(path=path)
    results.load()
    for mutant, exit_code in results.exit_code_by_key.items():
        status = status_by_exit_code[exit_code]
        if status != UNCHECKED:
            yield mutant, status if status in (TYPES, TESTS, TIME) else SURVIVED


def _change(diff: str) -> str:
    """The lines that a diff removes and adds, whatever their indentation."""
    changed = [line for line in diff.splitlines() if line.startswith(("-", "+")) and line[:3] not in ("---", "+++")]
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed)


def _explained() -> set[tuple[str, str]]:
    entries = tomllib.loads(EXPLAINED.read_text())["explained"]
    return {(entry["module"], change.strip()) for entry in entries for change in entry["changes"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
