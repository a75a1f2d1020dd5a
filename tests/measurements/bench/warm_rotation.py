"""A rotation by a warm function, beside other ways to rotate and the least that their calls can take."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench.measurement import Seconds, Table, in_turns, progress, spreads
from bench.upstream import Process, Upstream
from demo.deployment import ROOT
from local_aws import ENVIRONMENTS

OURS = "**talend-token**, the deployed package"
USUAL = "the usual handler: one client, one POST, one write"
ROTATORS = {
    OURS: "ours",
    USUAL: "blog_post",
    "four steps, a client in each": "four_steps",
}
# Our assumption for a call within a Region.
LATENCY_SECONDS = 0.005
ROUNDS, QUICK_ROUNDS = 20, 2
# Of each measurement, because one alone is shorter than the turns that other programs of the machine get.
ROTATIONS = 10
PYTHON = ENVIRONMENTS / "lambda-runtime" / "bin" / "python"
PYTHONPATH = os.pathsep.join([str(ROOT / ".aws-sam/build/RotateFunction"), str(ROOT / "tests/measurements")])
HEADER = ("", "AWS calls", "ms", "/ own replay", "/ the usual", "own replay, ms", "CPU ms", "/ own replay")
NOTES = (
    f"Each call is answered after {1e3 * LATENCY_SECONDS:g} ms, our assumption for a call within a Region. One process "
    f"each, with the packages of the deployed function; {ROTATIONS} rotations a measurement, in turns; one token call "
    'each. "Own replay" sends the same requests, byte by byte, over a kept socket with as little Python as possible. '
    "That ratio is the cost of the code around a contestant's own calls, whatever their number; `/ the usual` counts "
    "the calls too. Milliseconds: fastest / median / slowest; ratios of the fastest / of the medians. The server "
    "answers from memory; its time is in all rows. We make four calls more than the usual handler: the read of the "
    "published token, the lock and its release, and the promotion. TLS and Lambda's own runtime are not measured (the "
    "four steps are four invocations there). Our calls: {ours}."
)


def run(quick: bool) -> list[Table]:
    """Record a rotation of each contestant, and measure all of them and their replays in turns."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        upstream.publish(life_seconds=1800, age_seconds=1500)

        def started(*program: str) -> Callable[[], Seconds]:
            environment = upstream.function_environment | {"PYTHONPATH": PYTHONPATH}
            process = stack.enter_context(Process([PYTHON, "-m", "bench.rotators.driver", *program], environment))
            # The first rotations make clients and connections.
            process.ask(3)
            return lambda: Seconds(*process.ask(ROTATIONS))

        contestants: dict[str, Callable[[], Seconds]] = {}
        calls: dict[str, list[str]] = {}
        for name, module in ROTATORS.items():
            progress(f"a rotation is recorded: {module}")
            contestants[name] = started(module)
            upstream.ask("take_requests")
            contestants[name]()
            requests = upstream.ask("take_requests")
            one = requests[: len(requests) // ROTATIONS]
            calls[name] = [operation.replace("/security/oauth/token", "the token call") for operation, _ in one]
            recording = Path(folder) / f"{module}.json"
            recording.write_text(json.dumps([request for _, request in one]))
            contestants[_replay(name)] = started("replay", str(recording))
        upstream.ask("delay", LATENCY_SECONDS)
        found = in_turns(contestants, QUICK_ROUNDS if quick else ROUNDS)
    wall, cpu = spreads(found)
    rows = []
    for name, operations in calls.items():
        replay, of_usual = wall[_replay(name)], wall[name].cells(wall[USUAL], 1e3)[1]
        times = (*wall[name].cells(replay, 1e3, 1), of_usual, f"{1e3 * replay.median:.2f}")
        rows.append((name, str(len(operations) - 1), *times, *cpu[name].cells(cpu[_replay(name)], 1e3, 1)))
    return [Table("A rotation by a warm function", HEADER, rows, NOTES.format(ours=", ".join(calls[OURS])))]


def _replay(name: str) -> str:
    return f"replay of {name}"
