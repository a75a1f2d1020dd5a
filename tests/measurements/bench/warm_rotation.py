"""A rotation by a warm function, beside other ways to rotate and the least that their calls can take."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.conversation import Conversation
from bench.measurement import Spread, Table, in_turns, progress
from demo.deployment import ROOT
from local_aws import ENVIRONMENTS

OURS = "**talend-token**, the deployed package"
USUAL = "the usual handler: one client, one POST, one write"
ROTATORS = {
    OURS: "ours",
    USUAL: "blog_post",
    "four steps, a client in each": "four_steps",
    "four steps, one client kept": "four_steps_one_client",
}
IN_TURN = "one after the other"
PAIRS = {IN_TURN: "two_calls", "side by side": "two_calls_side_by_side"}
# Rounds at each latency of a call, in milliseconds.
ROUNDS = {0: 60, 1: 20, 5: 20}
QUICK_ROUNDS = {0: 4, 1: 2, 5: 2}
# Of each measurement: one alone is shorter than the turns that other programs of the machine get.
ROTATIONS = 10


class Rotator:
    """One contestant's process: calling it makes some rotations and gives their mean seconds."""

    def __init__(self, process: Conversation) -> None:
        self._process = process
        self.cpu_seconds: list[float] = []
        """A rotation's, of each measurement."""

    def __call__(self, rotations: int = ROTATIONS) -> float:
        seconds = self._process.ask(str(rotations))
        self.cpu_seconds.append(seconds["cpu"])
        return float(seconds["wall"])


def function_environment(ports: Mapping[str, int]) -> dict[str, str]:
    """A function's variables on Lambda, with AWS and Talend turned to these ports."""
    urls = {service: f"http://127.0.0.1:{port}" for service, port in ports.items()}
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / ".aws-sam" / "build" / "RotateFunction"), str(ROOT / "tests" / "measurements")]
        ),
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": urls["secretsmanager"],
        "AWS_ENDPOINT_URL_DYNAMODB": urls["dynamodb"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_LAMBDA_FUNCTION_NAME": "talend-token-rotate",
        "TALEND_API_URL": urls["token endpoint"],
        "SECRET_PREFIX": "talend",
        "SCHEDULE_EXPRESSION": "rate(25 minutes)",
        "LOCK_TABLE": "locks",
        "STACK_NAME": "talend-token",
    }


def run(quick: bool) -> list[Table]:
    """Record a rotation of each contestant, and measure all of them and their replays by turns."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        command = [sys.executable, "-m", "bench.rotation_server"]
        server = stack.enter_context(Conversation(command, os.environ))
        ports: dict[str, int] = server.answer()
        environment = function_environment(ports)

        def started(module: str, **more: str) -> Rotator:
            python = ENVIRONMENTS / "lambda-runtime" / "bin" / "python"
            conversation = Conversation([python, "-m", "bench.rotators.driver", module], {**environment, **more})
            rotator = Rotator(stack.enter_context(conversation))
            # The first ones make connections, and what is made once.
            rotator(3)
            return rotator

        contestants: dict[str, Rotator] = {}
        calls: dict[str, list[str]] = {}
        for name, module in ROTATORS.items():
            progress(f"a rotation is recorded: {module}")
            contestants[name] = started(module)
            server.ask("record")
            contestants[name](1)
            exchanges = server.ask("take")
            calls[name] = list(operations(exchanges))
            recording = Path(folder) / f"{module}.json"
            recording.write_text(json.dumps(exchanges))
            contestants[_replay(name)] = started("replay", RECORDING=str(recording))
        contestants |= {name: started(module) for name, module in PAIRS.items()}
        tables = []
        for latency, rounds in (QUICK_ROUNDS if quick else ROUNDS).items():
            server.ask(f"latency {latency / 1e3}")
            for contestant in contestants.values():
                contestant.cpu_seconds.clear()
            wall = {name: Spread.of(times) for name, times in in_turns(contestants, rounds).items()}
            cpu = {name: Spread.of(contestant.cpu_seconds) for name, contestant in contestants.items()}
            tables += [_rotations(latency, wall, cpu, calls), _pairs(latency, wall, cpu)]
    return [*tables[::2], tables[1], tables[-1]]


def _replay(name: str) -> str:
    return f"replay of {name}"


def operations(exchanges: Sequence[tuple[int, str]]) -> Iterator[str]:
    """What the recorded requests ask for, in order; a request without an operation is a token call."""
    for _, request in exchanges:
        head = base64.b64decode(request).partition(b"\r\n\r\n")[0].decode()
        targets = [line for line in head.split("\r\n") if line.lower().startswith("x-amz-target:")]
        yield targets[0].rpartition(".")[2] if targets else "the token call"


def _rotations(
    latency: int, wall: Mapping[str, Spread], cpu: Mapping[str, Spread], calls: Mapping[str, Sequence[str]]
) -> Table:
    rows = []
    for name in ROTATORS:
        least, least_cpu = wall[_replay(name)], cpu[_replay(name)]
        cells = (*wall[name].cells(least, 1e3, 1), wall[name].cells(wall[USUAL], 1e3)[1], f"{1e3 * least.median:.2f}")
        row = (name, str(len(calls[name]) - 1), *cells, *cpu[name].cells(least_cpu, 1e3, 1))
        rows.append(row)
    header = ("", "AWS calls", "ms", "/ own replay", "/ the usual", "own replay, ms", "CPU ms", "/ own replay")
    notes = LATENCY_NOTES[latency] if latency else NOTES.format(ours=", ".join(calls[OURS]))
    figures = {name: {"AWS calls": len(calls[name]) - 1, "ms": 1e3 * wall[name].median} for name in ROTATORS}
    return Table(f"A rotation by a warm function, {_answers(latency)}", header, rows, notes, figures)


def _pairs(latency: int, wall: Mapping[str, Spread], cpu: Mapping[str, Spread]) -> Table:
    rows = [(name, *wall[name].cells(wall[IN_TURN], 1e3, 2), *cpu[name].cells(cpu[IN_TURN], 1e3, 2)) for name in PAIRS]
    header = ("", "ms", "/ the first", "CPU ms", "/ the first")
    return Table(
        f"Two independent calls of AWS, {_answers(latency)}", header, rows, PAIR_NOTES if not latency else "The same."
    )


def _answers(latency: int) -> str:
    return f"each answered after {latency} ms" if latency else "answered at once"


NOTES = (
    f"One process each, with the packages of the deployed function; {ROTATIONS} rotations a measurement, in turns; "
    'one token call each. "Own replay" sends the same requests, byte by byte, over kept sockets with as little '
    "Python as possible, one after the other. That ratio is the cost of the code around a contestant's own calls, "
    "whatever their number; `/ the usual` counts the calls too. Milliseconds: fastest / median / slowest; ratios "
    "of the fastest / of the medians. The servers are one process that answers from memory; its time is in all "
    "rows. A profiler finds nine tenths of our time inside boto3, whose calls take a millisecond of CPU each in "
    "every row. We make four more than the usual handler: the read of what is published, the lock and its "
    "release, and the promotion. TLS and Lambda's own runtime are not measured (the four steps are four "
    f"invocations there). Our calls: {{ours}}."
)
LATENCY_NOTES = {
    1: (
        "The same with servers that take 1 ms for each call, also the token call: about what a test double of AWS "
        "that is written in Python takes. A slower server makes every ratio to the replay smaller."
    ),
    5: (
        "With 5 ms for each call, our assumption for a call within a Region. Then the number of calls decides, and a "
        "rotation takes longer than the usual handler by the calls that it adds."
    ),
}
PAIR_NOTES = (
    "The lock and the read of the credentials do not need each other's answers. They still run one after the "
    "other: a consumer in a storm that finds the lock taken would have read the credentials for nothing, and so "
    "would the watchdog each minute if they were read beside the token. The price is the time of one call in a "
    "rotation."
)
