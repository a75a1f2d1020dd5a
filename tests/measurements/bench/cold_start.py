"""A function's cold start: from the start of its process to its first answer, under Lambda's own runtime."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench import cold_packages
from bench.measurement import Seconds, Table, in_turns, spreads
from bench.upstream import Upstream
from bench.warm_rotation import PYTHON
from local_aws.runtime_api import Invocation, RuntimeAPI

ROUNDS, QUICK_ROUNDS = 8, 2
LIMIT_SECONDS = 60
LIFE_SECONDS, AGE_SECONDS = 36_000, 18_000
USUAL = "the usual handler: one client, one POST, one write"
ROTATORS = Path(__file__).parent / "rotators"
HEADER = ("", "ms", "/ the usual", "CPU ms", "/ the usual")
NOTES = (
    "Milliseconds from the start of the process to the first answer: fastest / median / slowest process, and the "
    "ratio to the usual handler, of the fastest / of the medians. `rotate` reads, requests a token and publishes "
    "it. `renew` replaces the rejected token. Everything runs on Lambda's own runtime client (`awslambdaric`), from "
    "the files of the deployed package with their dates of 1980. All rows have the same versions of boto3 and "
    "requests, and the same kind of bytecode unless the row says otherwise. The four steps are one invocation here "
    "and four on Lambda. The servers are on loopback and answer at once. CPU is the process's user and system time. "
    "Here each process has a whole processor. Lambda grants a share in proportion to memory, 1,769 MB for one "
    "processor, so at 256 MB the CPU time takes seven times as long. The start of the sandbox and TLS are not measured."
)


def run(quick: bool) -> list[Table]:
    """Start every function in every round."""
    # All of Lambda's own libraries get bytecode, or only those would have it that an earlier run imported.
    compile_all = "import compileall, site; compileall.compile_dir(site.getsitepackages()[0], quiet=2)"
    subprocess.run([PYTHON, "-c", compile_all], check=True)
    with Upstream() as upstream, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rejected = upstream.publish(LIFE_SECONDS, AGE_SECONDS)
        functions = _functions(Path(folder), upstream.function_environment, rejected)
        # Once before, so that the files are in the machine's memory for all.
        in_turns(functions, 1)
        wall, cpu = spreads(in_turns(functions, QUICK_ROUNDS if quick else ROUNDS))
    rows = [(name, *wall[name].cells(wall[USUAL], 1e3), *cpu[name].cells(cpu[USUAL], 1e3)) for name in functions]
    return [Table("A cold start", HEADER, rows, NOTES)]


def _functions(folder: Path, environment: Mapping[str, str], rejected: str) -> dict[str, Callable[[], Seconds]]:
    """Lay out every contestant in a folder of its own, and return the calls that start it."""
    usual, steps, rotate, slow, renew = tasks = [folder / str(number) for number in range(5)]
    cold_packages.rotator(usual, ROTATORS / "blog_post.py")
    cold_packages.rotator(steps, ROTATORS / "four_steps.py")
    cold_packages.ours(rotate, "RotateFunction")
    cold_packages.ours(slow, "RotateFunction", bytecode=False)
    cold_packages.ours(renew, "RenewFunction")
    other = ("handler.handler", None, "null")
    rotated = ("rotate.handler", {"trigger": "schedule", "account": "default"}, '"rotated"')
    renewed = ("renew.handler", {"account": "default", "rejected_version_id": rejected}, '"rotated"')
    contestants = {
        USUAL: other,
        "four steps, a client in each": other,
        "**rotate**, as deployed": rotated,
        "rotate, without bytecode": rotated,
        "**renew**, as deployed": renewed,
    }

    def starting(task: Path, call: tuple[str, Any, str]) -> Callable[[], Seconds]:
        return lambda: _start(task, environment, *call)

    return {name: starting(task, call) for task, (name, call) in zip(tasks, contestants.items(), strict=True)}


def _start(task: Path, environment: Mapping[str, str], handler: str, event: Any, expected: str) -> Seconds:
    """Start a function anew, and wait for its answer.

    Raises:
        RuntimeError: the answer is an error, or is not the expected one, as if there were nothing to do.
    """
    runtime = RuntimeAPI()
    variables = {"AWS_LAMBDA_RUNTIME_API": runtime.address, "LAMBDA_TASK_ROOT": str(task)}
    arn = "arn:aws:lambda:eu-central-1:123456789012:function:talend-token-rotate"
    invocation = Invocation("1", json.dumps(event).encode(), arn, trace_id="")
    started = time.perf_counter()
    process = subprocess.Popen(
        # -B, because /var/task cannot be written to: no process finds bytecode that another one has left.
        [PYTHON, "-B", "-m", "awslambdaric", handler],
        cwd=task,
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        answer = runtime.initialised.result(LIMIT_SECONDS)
        if answer is None:
            deadline_ms = int((time.time() + LIMIT_SECONDS) * 1000)
            answer = runtime.submit(invocation, deadline_ms).result(LIMIT_SECONDS)
        seconds = time.perf_counter() - started
    finally:
        process.kill()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        runtime.close()
    if answer.status != "success" or expected not in answer.payload.decode():
        raise RuntimeError(f"{handler} of {task} failed: {answer.payload.decode()}")
    return Seconds(seconds, usage.ru_utime + usage.ru_stime)
