"""A fresh process: what imports cost, and how long it takes to the first token."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.measurement import Spread, Table, in_turns
from bench.upstream import Upstream, environment

ROUNDS = 15
QUICK_ROUNDS = 3
FOLDER = Path(__file__).parent / "first_token"
FLOOR = "floor: boto3, the secret, `json.loads`"
FIRST_TOKEN = {
    "the interpreter alone, without a token": "nothing",
    FLOOR: "by_boto3",
    "**talend_token**, the secret": "by_talend_token",
    "Powertools, the secret": "by_powertools",
    "aws-secretsmanager-caching, the secret": "by_caching",
    "authlib, token endpoint": "by_authlib",
    "google-auth, token endpoint": "by_google_auth",
    "httpx-auth, token endpoint": "by_httpx_auth",
}
IMPORT_FLOOR = "boto3"
IMPORTS = {
    "**talend_token**": "talend_token",
    "**talend_token.requests**": "talend_token.requests",
    "requests": "requests",
    "**talend_token.httpx**": "talend_token.httpx",
    "httpx": "httpx",
    IMPORT_FLOOR: "boto3",
    "Powertools parameters": "aws_lambda_powertools.utilities.parameters",
    "aws-secretsmanager-caching": "aws_secretsmanager_caching",
    "authlib for requests": "authlib.integrations.requests_client",
    "google-auth for requests": "google.auth.transport.requests",
    "httpx-auth": "httpx_auth",
}


def run(quick: bool) -> list[Table]:
    """Start every process in every round."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with Upstream() as upstream, environment(upstream.environment()), _bytecode():
        imports = {name: partial(import_seconds, module) for name, module in IMPORTS.items()}
        processes = {name: FirstToken(FOLDER / f"{file}.py") for name, file in FIRST_TOKEN.items()}
        # Once before, so that bytecode and file caches are there for all.
        in_turns(imports, 1)
        in_turns(processes, 1)
        imported = {name: Spread.of(times) for name, times in in_turns(imports, rounds).items()}
        found = {name: Spread.of(times) for name, times in in_turns(processes, rounds).items()}
    cpu = {name: Spread.of(process.cpu_seconds[-rounds:]) for name, process in processes.items()}
    header = ("", "ms", "/ floor", "CPU ms", "/ floor")
    rows = [(name, *found[name].cells(found[FLOOR], 1e3), *cpu[name].cells(cpu[FLOOR], 1e3)) for name in found]
    import_rows = [(name, *spread.cells(imported[IMPORT_FLOOR], 1e3, 1)) for name, spread in imported.items()]
    return [
        Table("Imports", ("", "CPU ms", "/ boto3"), import_rows, IMPORT_NOTES),
        Table("A fresh process's first token", header, rows, NOTES),
    ]


IMPORT_NOTES = (
    "CPU milliseconds of `import ...` in a fresh interpreter, with bytecode: fastest / median / slowest process, "
    "and the ratio to boto3, of the fastest / of the medians. The import of boto3 creates no client and reads no "
    "service model."
)
NOTES = (
    "Milliseconds from the start of the process to the line that it prints when it has a token, and the CPU time "
    "of the whole process: fastest / median / slowest process, and the ratio to the floor, of the fastest / of "
    "the medians. The servers are on loopback and answer at once. The secret is read with boto3; a token endpoint "
    "needs no AWS."
)


@contextmanager
def _bytecode() -> Iterator[None]:
    """Everybody has bytecode, and the same kind of it, whatever this machine's settings and caches are."""
    with (
        tempfile.TemporaryDirectory(prefix="talend-token-bench-") as folder,
        environment({"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}),
    ):
        yield


def import_seconds(module: str) -> float:
    """CPU time by the interpreter's own account, without its start."""
    code = f"import time; started = time.process_time(); import {module}; print(time.process_time() - started)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(finished.stdout)


class FirstToken:
    """Starts a program of `bench.first_token`."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self.cpu_seconds: list[float] = []
        """Of each process, user and system."""

    def __call__(self) -> float:
        """Seconds from before the process starts until it prints its line."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        with subprocess.Popen([sys.executable, self._program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            seconds = time.perf_counter() - started
        if process.returncode != 0 or not line:
            raise RuntimeError(f"{self._program.name} failed: see what it printed above")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu_seconds.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
        return seconds
