"""A function's cold start: from the start of its process to its first answer, under Lambda's own runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import cold_imports
from bench.cold_packages import BENCH, PYTHON, compile_runtime, other, ours
from bench.conversation import Conversation
from bench.cpu_share import cpu_share, share_of
from bench.measurement import Spread, Table, in_turns, progress
from bench.warm_rotation import function_environment
from local_aws.runtime_api import Invocation, RuntimeAPI

ROUNDS = 8
QUICK_ROUNDS = 2
# Of the functions: None is a whole processor.
MEMORY_MB = (None, 1024, 512, 256)
# The longest that one may take, at the smallest share.
LIMIT_SECONDS = 60
USUAL = "the usual handler: one client, one POST, one write"
ROTATE = {"trigger": "schedule", "account": "default"}
RENEW = {"account": "default", "rejected_version_id": "11111111-1111-4111-8111-111111111111"}
# Of a token that another consumer has had replaced, as most are in a storm.
TOO_LATE = {"account": "default", "rejected_version_id": "33333333-3333-4333-8333-333333333333"}
ROTATORS = BENCH / "rotators"


@dataclass
class ColdStart:
    """Starts one function anew at each call."""

    task: Path
    handler: str
    event: Mapping[str, Any]
    environment: Mapping[str, str]
    expected: str
    """In the answer: ours would answer without an error, too, if it had nothing to do."""
    enter_share: Callable[[], None] | None = None
    init_seconds: list[float] = field(default_factory=list)
    """Until the runtime asks for its first event."""
    cpu_seconds: list[float] = field(default_factory=list)
    """Of the process, user and system, until its end."""

    def __call__(self) -> float:
        """Seconds until the first answer. Raises `RuntimeError` if it is an error."""
        runtime = RuntimeAPI()
        variables = {"AWS_LAMBDA_RUNTIME_API": runtime.address, "LAMBDA_TASK_ROOT": str(self.task)}
        invocation = Invocation(
            request_id=str(uuid.uuid4()),
            payload=json.dumps(self.event).encode(),
            function_arn="arn:aws:lambda:eu-central-1:123456789012:function:talend-token-rotate",
            trace_id="Root=1-00000000-000000000000000000000000;Sampled=0",
        )
        # -B, as /var/task cannot be written to: no process finds bytecode that another one has left.
        command = [str(PYTHON), "-B", "-m", "awslambdaric", self.handler]
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=self.task,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=self.enter_share,
        )
        try:
            refused = runtime.initialised.result(LIMIT_SECONDS)
            initialised = time.perf_counter() - started
            deadline_ms = int((time.time() + LIMIT_SECONDS) * 1000)
            answer = refused
            if answer is None:
                answer = runtime.submit(invocation, deadline_ms).result(LIMIT_SECONDS)
            seconds = time.perf_counter() - started
        finally:
            process.kill()
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = 0
            runtime.close()
        if answer.status != "success" or self.expected not in answer.payload.decode():
            raise RuntimeError(f"{self.handler} of {self.task} failed: {answer.payload.decode()}")
        self.init_seconds.append(initialised)
        self.cpu_seconds.append(usage.ru_utime + usage.ru_stime)
        return seconds


CALLED = ("handler.handler", None, "null")
ROTATED = ("rotate.handler", ROTATE, "rotated")
RENEWED = ("renew.handler", RENEW, '"rotated"')
SUPERSEDED = ("renew.handler", TOO_LATE, '"superseded"')
CONTESTANTS = {
    "an empty handler": (other(BENCH / "cold_handlers" / "nothing.py", bytecode=True), "nothing.handler", None, "null"),
    USUAL: (other(ROTATORS / "blog_post.py", bytecode=True), *CALLED),
    "the same, without bytecode": (other(ROTATORS / "blog_post.py", bytecode=False), *CALLED),
    "four steps, a client in each": (other(ROTATORS / "four_steps.py", bytecode=True), *CALLED),
    "**rotate**, as deployed": (ours("RotateFunction", bytecode=True), *ROTATED),
    "rotate, without bytecode": (ours("RotateFunction", bytecode=False), *ROTATED),
    "**renew**, as deployed": (ours("RenewFunction", bytecode=True), *RENEWED),
    "renew, of a token that has been replaced already": (ours("RenewFunction", bytecode=True), *SUPERSEDED),
    "renew, without bytecode": (ours("RenewFunction", bytecode=False), *RENEWED),
}


def run(quick: bool) -> list[Table]:
    """Start every function in every round, at each share of a processor."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    compile_runtime()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        command = [sys.executable, "-m", "bench.rotation_server"]
        server = stack.enter_context(Conversation(command, os.environ))
        variables = function_environment(server.answer())
        del variables["PYTHONPATH"]
        functions = {}
        for number, (name, (package, handler, event, expected)) in enumerate(CONTESTANTS.items()):
            place = folder / str(number)
            place.mkdir()
            functions[name] = ColdStart(package(place), handler, event or {}, variables, expected)
        # Once before, so that the files are in the machine's memory for all.
        in_turns(functions, 1)
        tables = [_starts(functions, memory_mb, rounds) for memory_mb in MEMORY_MB]
        return [*tables, cold_imports.table(functions["**rotate**, as deployed"].task, rounds)]


def _starts(functions: Mapping[str, ColdStart], memory_mb: int | None, rounds: int) -> Table:
    progress(f"{memory_mb} MB" if memory_mb else "a whole processor")
    for function in functions.values():
        function.init_seconds.clear()
        function.cpu_seconds.clear()
    share = share_of(memory_mb) if memory_mb else None
    with ExitStack() as stack:
        enter = stack.enter_context(cpu_share(share)) if share else None
        for function in functions.values():
            function.enter_share = enter
        times = in_turns(functions, rounds)
    if share and enter is None:
        # Each second of CPU takes 1 / share seconds then; what was waited for stays as it is.
        slower = {name: [cpu * (1 / share - 1) for cpu in function.cpu_seconds] for name, function in functions.items()}
        times = {name: [a + b for a, b in zip(times[name], slower[name], strict=True)] for name in times}
    found = {name: Spread.of(values) for name, values in times.items()}
    cpu = {name: Spread.of(function.cpu_seconds) for name, function in functions.items()}
    init = partial(_init_text, counted=not share or enter is not None)
    rows = [
        (name, *found[name].cells(found[USUAL], 1e3), init(function), *cpu[name].cells(cpu[USUAL], 1e3))
        for name, function in functions.items()
    ]
    header = ("", "ms", "/ the usual", "init, ms", "CPU ms", "/ the usual")
    limit = f"{memory_mb} MB of memory, {share:.1%} of a processor" if share else "without a limit"
    how = "" if not share else (BY_QUOTA if enter else BY_ARITHMETIC)
    return Table(f"A cold start, {limit}", header, rows, how or NOTES)


def _init_text(function: ColdStart, *, counted: bool) -> str:
    return Spread.of(function.init_seconds).text(1e3) if counted else "-"


NOTES = (
    "Milliseconds from the start of the process to the first answer: fastest / median / slowest process, and the "
    "ratio to the usual handler, of the fastest / of the medians. `rotate` reads, requests a token and publishes "
    "it. `renew` replaces the rejected token, or finds that it has been replaced already, as most runs do in a "
    "storm. Everything runs on Lambda's own runtime client (`awslambdaric`), from the files of the deployed zip "
    "with their dates of 1980. Init ends when the runtime asks for its first event. All rows have the same "
    "versions of boto3 and requests, and the same kind of bytecode unless the row says otherwise. The four steps "
    "are one invocation here and four on Lambda. The servers are on loopback and answer at once. CPU is the "
    "process's user and system time. The start of the sandbox and TLS are not measured."
)
BY_QUOTA = (
    "The same, but the kernel stops the process when it has used its share of each 20 ms (a cgroup quota), "
    "because Lambda grants CPU in proportion to memory: 1,769 MB is one processor. Here init is limited to the "
    "share, too."
)
BY_ARITHMETIC = (
    "The same, by arithmetic, because this machine allows no cgroup: CPU time is divided by the share that Lambda "
    "gives a function of this memory (1,769 MB is one processor), and waiting time stays the same."
)
