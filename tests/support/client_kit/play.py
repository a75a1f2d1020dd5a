"""Plays a scenario with a consumer, and returns what the consumer did wrong."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from client_kit.stand_in import BODY, FUNCTION, HOST, OTHER_HOST, SECRET, World, stand_in

SCENARIOS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("scenarios.json").read_text())
# Also on a busy machine: only a consumer that hangs, or waits for `retry_after_seconds`, takes longer.
_ANSWER_SECONDS = 30
_PIECE = 8


def environment(world: World) -> dict[str, str]:
    """Return the variables that a consumer is started with."""
    return {
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_SESSION_TOKEN": "session",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": world.url,
        "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT": str(world.port),
        "TALEND_TOKEN_SECRET": SECRET,
        "TALEND_RENEW_FUNCTION": FUNCTION,
    }


class Consumer:
    """A process of a client: commands are lines of JSON on its standard input, answers on its standard output."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TALEND_"))}
        self.printed: list[str] = []
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (`close` closes it)
        self._lines: queue.Queue[str] = queue.Queue()
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        self._process = subprocess.Popen(command, text=True, env=environ | dict(variables), **pipes)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        # An empty line is not an answer, so a process that has ended fails at once.
        for line in chain(self._process.stdout, [""]):
            self.printed.append(line)
            self._lines.put(line)

    def ask(self, commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Send commands at once, and return the answers. Raises queue.Empty, OSError, ValueError, KeyError."""
        assert self._process.stdin
        self._process.stdin.write("".join(f"{json.dumps(command)}\n" for command in commands))
        self._process.stdin.flush()
        answers = [json.loads(self._lines.get(timeout=_ANSWER_SECONDS)) for _ in commands]
        if {answer["id"] for answer in answers} != {command["id"] for command in commands}:
            raise ValueError
        return answers

    def close(self) -> str:
        """End it, and return everything that it has printed."""
        # Closing the standard input writes what a consumer that has ended did not read.
        with suppress(BrokenPipeError), self._process:
            self._process.kill()
            self._reader.join()
        with self._errors:
            self._errors.seek(0)
            return "".join(self.printed) + self._errors.read()


def play(scenario: Mapping[str, Any], start: Callable[[Mapping[str, str]], Any]) -> list[str]:
    """Play a scenario with a consumer of its own; returns what is wrong, and nothing if all is well.

    `start` gets the consumer's environment variables, and returns a `Consumer` or what has its methods.
    """
    with stand_in() as world:
        consumer = start(environment(world))
        problems: list[str] = []
        try:
            for number, step in enumerate(scenario["steps"], 1):
                problems += [f"step {number}: {problem}" for problem in _do(step, world, consumer)]
                if problems or world.problems:
                    break
        finally:
            printed = consumer.close()
        problems = world.problems + problems
        if any(_shows(printed, token["access_token"]) for token in world.tokens):
            problems.append("its output shows a piece of a token")
        elif problems:
            problems += printed.splitlines()[-5:]
        return list(dict.fromkeys(problems))


def _do(step: Mapping[str, Any], world: World, consumer: Any) -> Iterator[str]:
    """Do one step, and yield its problems."""
    world.now += step.get("pass", 0)
    if "publish" in step:
        world.publish(**step["publish"])
    vars(world).update(step.get("world", {}))
    if "fetch" not in step:
        return
    host = OTHER_HOST if step["fetch"].get("host") == "other" else HOST
    command = {
        "now": world.now,
        "method": step["fetch"].get("method", "GET"),
        "url": f"http://{host}:{world.port}/orchestration/executables/tasks",
        "body": BODY if step["fetch"].get("method") == "POST" else None,
    }
    try:
        answers = consumer.ask([command | {"id": number} for number in range(step.get("times", 1))])
    except (OSError, ValueError, KeyError, queue.Empty) as error:
        yield f"the commands were not answered as documented ({type(error).__name__})"
        return
    counts = world.take_counts()
    expected = step["expect"]
    given = sorted({str(answer.get("status", "error")) for answer in answers})
    if not set(given) <= {str(answer) for answer in expected["answers"]}:
        yield f"the answers were {', '.join(given)}, and not {_words(expected['answers'])}"
    for what in ("calls", "renewals"):
        if expected.get(what, counts[what]) != counts[what]:
            yield f"{what} were {_words(counts[what])}, and not {_words(expected[what])}"
    if counts["reads"] > expected.get("reads_at_most", counts["reads"]):
        yield f"{counts['reads']} reads of the secret, and {expected['reads_at_most']} are enough"


def _words(value: Any) -> str:
    """Return a readable form. Calls are `token:status`, with how many there were."""
    if isinstance(value, dict):
        return ", ".join(f"{count} of {call}" for call, count in value.items()) or "none"
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def _shows(text: str, secret: str) -> bool:
    return any(secret[start : start + _PIECE] in text for start in range(len(secret) - _PIECE + 1))
