"""What a cold start of `rotate` imports, how long that takes, and what for."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from bench.cold_packages import PYTHON
from bench.measurement import Table

LINE = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| ( *)(\S+)")
INTERPRETER = "the interpreter and its library"
# The first name that fits says what a module belongs to.
REASONS = {
    "aws_lambda_powertools.logging": "the log line; a formatter of our own would be code to maintain",
    "aws_lambda_powertools.metrics": "the metrics in the log",
    "aws_lambda_powertools.utilities.idempotency": "the lock, written and tested by others",
    "aws_lambda_powertools.utilities.circuit_breaker": "spares refused credentials; shares the lock's table",
    "aws_lambda_powertools": "what the four parts above share; its tracing comes with metrics or logs",
    "jmespath": "Idempotency finds its key with it; botocore would import it for paginators and waiters",
    "s3transfer": "boto3 imports it; nothing here uses it",
    "boto3": "the clients; Powertools imports it itself, so that botocore alone would save nothing",
    "botocore": "the calls of AWS",
    "urllib3": "the connections of botocore and of requests: one copy, ours, for both",
    "charset_normalizer": "requests imports it; nothing here guesses an encoding",
    "idna": "requests imports it, for host names that are not ASCII",
    "certifi": "requests' authorities",
    "requests": "the token endpoint and the probe: with readable deadlines, retries and TLS",
    "init_phase": "turns the garbage collector off while all of this is imported",
    "rotator": "our code",
    "talend_token": "the token document, shared with consumers",
}


def owner_of(module: str) -> str | None:
    """The row that a module is counted in, None for the interpreter's own."""
    return next((name for name in REASONS if module == name or module.startswith(name + ".")), None)


def self_milliseconds(report: str) -> tuple[dict[str, float], Counter[str]]:
    """Return time and number of modules by owner. A standard module counts with the first module that imports it."""
    milliseconds: dict[str, float] = defaultdict(float)
    modules: Counter[str] = Counter()
    # A module is reported after all that it imported: read backwards, each follows the one that imported it.
    owners: list[str] = []
    for own, indent, module in reversed(LINE.findall(report)):
        depth = len(indent) // 2
        del owners[depth:]
        owner = owner_of(module) or (owners[-1] if owners else INTERPRETER)
        owners += [owner] * (depth + 1 - len(owners))
        milliseconds[owner] += int(own) / 1e3
        modules[owner] += 1
    return milliseconds, modules


def table(task: Path, rounds: int) -> Table:
    """Import the deployed package's `rotate` several times."""
    found: dict[str, list[float]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for _ in range(rounds):
        command = [str(PYTHON), "-B", "-X", "importtime", "-c", "import rotate"]
        finished = subprocess.run(command, cwd=task, capture_output=True, text=True, check=True)
        milliseconds, counts = self_milliseconds(finished.stderr)
        for name, value in milliseconds.items():
            found[name].append(value)
    medians = {name: statistics.median(values) for name, values in found.items()}
    total = sum(medians.values())
    rows = [
        (name, str(counts[name]), f"{value:.1f}", f"{value / total:.0%}", REASONS.get(name, "started with it"))
        for name, value in sorted(medians.items(), key=lambda item: -item[1])
    ]
    rows.append(("all", str(counts.total()), f"{total:.1f}", "100%", ""))
    return Table("What a cold start imports", ("", "modules", "ms", "of all", "what for"), rows, NOTES)


NOTES = (
    "`python -X importtime -c 'import rotate'` in the deployed package, medians. The measurement itself makes "
    "imports slower, so read the shares. A module of the standard library counts with the package that imports it "
    "first. `tests/template/test_package.py` holds the list of packages."
)


if __name__ == "__main__":
    print(table(Path(sys.argv[1]), 3).markdown())
