"""Functions under Lambda's own runtime: cold starts and warm rotations, beside other ways to rotate."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import chain
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Self

from bench.measurement import Spread, Table, in_turns
from bench.upstream import TOKEN_PATH, Upstream, environment, running_upstream
from demo.deployment import BUILT
from local_aws import ENVIRONMENTS
from local_aws.runtime_api import Invocation, RuntimeAPI

COLD_ROUNDS, WARM_ROUNDS, QUICK_ROUNDS = 8, 20, 2
# Of each measurement, because one alone is shorter than the turns that other programs of the machine get.
ROTATIONS = 10
# Our assumption for a call within a Region.
LATENCY_SECONDS = 0.005
LIMIT_SECONDS = 60
LIFE_SECONDS, AGE_SECONDS = 36_000, 18_000
PACKAGES = BUILT.parent
PYTHON = ENVIRONMENTS / "lambda-runtime" / "bin" / "python"
# SAM's date of every file, in seconds since 1970.
_1980 = 315532800
_WITHOUT_BYTECODE = shutil.ignore_patterns("__pycache__")
OURS, USUAL = "**rotate**, as deployed", "the usual handler: one client, one POST, one write"
FOUR_STEPS = "four steps, a client in each"
COLD_NOTES = (
    "Milliseconds from the start of the process to the first answer: fastest / median / slowest process, and the "
    "ratio to the usual handler, of the fastest / of the medians. `rotate` reads, requests a token and publishes "
    "it. `renew` replaces the rejected token. Everything runs on Lambda's own runtime client (`awslambdaric`), from "
    "the files of the deployed package with their dates of 1980. All rows have the same versions of boto3 and "
    "requests, and the same kind of bytecode unless the row says otherwise. The four steps are one invocation here "
    "and four on Lambda. The servers are on loopback and answer at once. CPU is the process's user and system time. "
    "Here each process has a whole processor. Lambda grants a share in proportion to memory, 1,769 MB for one "
    "processor, so at 256 MB the CPU time takes seven times as long. The start of the sandbox and TLS are not measured."
)
WARM_NOTES = (
    f"Each call is answered after {1e3 * LATENCY_SECONDS:g} ms, our assumption for a call within a Region. The "
    f"processes and packages are those of the cold starts; {ROTATIONS} rotations a measurement, in turns; one token "
    "call each. Milliseconds: fastest / median / slowest; ratios of the fastest / of the medians. The server answers "
    "from memory; its time is in all rows. We make four calls more than the usual handler: the read of the published "
    "token, the lock and its release, and the promotion. TLS is not measured. Our calls: {ours}."
)


class Function:
    """A process of a function, from `with` to its end."""

    cpu_seconds = 0.0
    """User and system time, once it has ended."""

    def __init__(self, task: Path, variables: dict[str, str], handler: str, event: Any) -> None:
        self._event = json.dumps(event).encode()
        self._runtime = RuntimeAPI()
        runtime = {"AWS_LAMBDA_RUNTIME_API": self._runtime.address, "LAMBDA_TASK_ROOT": str(task)}
        self._process = subprocess.Popen(
            # -B, because /var/task cannot be written to: no process finds bytecode that another one has left.
            [PYTHON, "-B", "-m", "awslambdaric", handler],
            cwd=task,
            env=variables | runtime,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        usage = os.wait4(self._process.pid, 0)[2]
        self._process.returncode = 0
        self._runtime.close()
        self.cpu_seconds = usage.ru_utime + usage.ru_stime

    def rotate(self) -> None:
        """Invoke it. Raises `RuntimeError` if that did not replace the token."""
        arn = "arn:aws:lambda:eu-central-1:123456789012:function:talend-token-rotate"
        answer = self._runtime.initialised.result(LIMIT_SECONDS)
        if answer is None:
            deadline_ms = int((time.time() + LIMIT_SECONDS) * 1000)
            answer = self._runtime.submit(Invocation("1", self._event, arn, ""), deadline_ms).result(LIMIT_SECONDS)
        if b'"rotated"' not in answer.payload:
            raise RuntimeError(f"{self._process.args!r} failed: {answer.payload.decode()}")


# A way to start a function anew.
type Start = Callable[[], Function]


def run(quick: bool) -> list[Table]:
    """Start every function in every round, and then let those that rotate stay."""
    # All of Lambda's own libraries get bytecode, or only those would have it that an earlier run imported.
    compile_all = "import compileall, site; compileall.compile_dir(site.getsitepackages()[0], quiet=2)"
    subprocess.run([PYTHON, "-c", compile_all], check=True)
    with running_upstream() as upstream, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rejected = upstream.publish(LIFE_SECONDS, AGE_SECONDS)
        functions = _functions(Path(folder), environment(upstream), rejected)
        return [_cold_starts(functions, quick), _warm_rotations(functions, upstream, quick)]


def _cold_starts(functions: Mapping[str, Start], quick: bool) -> Table:
    starts = {name: partial(_cold_start, start) for name, start in functions.items()}
    # Once before, so that the files are in the machine's memory for all.
    in_turns(starts, 1)
    found = in_turns(starts, QUICK_ROUNDS if quick else COLD_ROUNDS)
    spreads = {name: [Spread.of(values) for values in zip(*pairs, strict=True)] for name, pairs in found.items()}
    usual_wall, usual_cpu = spreads[USUAL]
    rows = [(name, *wall.cells(usual_wall, 1e3), *cpu.cells(usual_cpu, 1e3)) for name, (wall, cpu) in spreads.items()]
    return Table("A cold start", ("", "ms", "/ the usual", "CPU ms", "/ the usual"), rows, COLD_NOTES)


def _cold_start(start: Start) -> tuple[float, float]:
    """Return the seconds until a new process has answered, and its CPU time."""
    started = time.perf_counter()
    with start() as function:
        function.rotate()
        seconds = time.perf_counter() - started
    return seconds, function.cpu_seconds


def _warm_rotations(functions: Mapping[str, Start], upstream: Upstream, quick: bool) -> Table:
    calls, rotations = {}, {}
    with ExitStack() as stack:
        for name in (OURS, USUAL, FOUR_STEPS):
            function = stack.enter_context(functions[name]())
            # The first rotations make clients and connections.
            _rotate(function)
            upstream.take_operations()
            function.rotate()
            calls[name] = [operation.replace(TOKEN_PATH, "the token call") for operation in upstream.take_operations()]
            rotations[name] = partial(_rotate, function)
        upstream.delay(LATENCY_SECONDS)
        found = in_turns(rotations, QUICK_ROUNDS if quick else WARM_ROUNDS)
    usual = Spread.of(found[USUAL])
    rows = [
        (name, str(len(calls[name]) - 1), *Spread.of(seconds).cells(usual, 1e3, 1)) for name, seconds in found.items()
    ]
    notes = WARM_NOTES.format(ours=", ".join(calls[OURS]))
    return Table("A rotation by a warm function", ("", "AWS calls", "ms", "/ the usual"), rows, notes)


def _rotate(function: Function) -> float:
    """Return the mean seconds of several rotations."""
    started = time.perf_counter()
    for _ in range(ROTATIONS):
        function.rotate()
    return (time.perf_counter() - started) / ROTATIONS


def _functions(folder: Path, variables: dict[str, str], rejected: str) -> dict[str, Start]:
    """Lay out every function as Lambda has it on its disk, with the dates of the deployed zip."""
    others, rotate, slow, renew = tasks = [folder / name for name in ("others", "rotate", "slow", "renew")]
    for name in ("requests", "urllib3", "certifi", "charset_normalizer", "idna"):
        shutil.copytree(PACKAGES / "RotateFunction" / name, others / name, ignore=_WITHOUT_BYTECODE)
    shutil.copy(Path(__file__).with_name("rotators.py"), others)
    # By the Python that measures, which is of the version that runs it.
    compileall.compile_dir(others, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    shutil.copytree(PACKAGES / "RotateFunction", rotate)
    shutil.copytree(PACKAGES / "RotateFunction", slow, ignore=_WITHOUT_BYTECODE)
    shutil.copytree(PACKAGES / "RenewFunction", renew)
    for path in chain(*(task.rglob("*") for task in tasks)):
        os.utime(path, (_1980, _1980))
    scheduled = {"trigger": "schedule", "account": "default"}
    return {
        USUAL: partial(Function, others, variables, "rotators.usual", None),
        FOUR_STEPS: partial(Function, others, variables, "rotators.four_steps", None),
        OURS: partial(Function, rotate, variables, "rotate.handler", scheduled),
        "rotate, without bytecode": partial(Function, slow, variables, "rotate.handler", scheduled),
        "**renew**, as deployed": partial(
            Function, renew, variables, "renew.handler", {"account": "default", "rejected_version_id": rejected}
        ),
    }
