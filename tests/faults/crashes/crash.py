"""Invocations that are killed at a chosen call, and what they asked before; see `faults.crashes.process`.

```python
with Functions(environment) as functions:
    healthy = functions.invoke("rotate", {})
    functions.invoke("rotate", {}, kill=(3, "after"))  # SIGKILL when the fourth call has been answered
```
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

type Kill = tuple[int, Literal["before", "after"]]

# As in the template.
FUNCTION_SECONDS = {"rotate": 60, "renew": 30}
_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Invocation:
    """How an invocation went: `calls` are what it asked of the outside, the one it was killed at included."""

    calls: tuple[str, ...]
    addresses: frozenset[str]
    """`host:port` of its calls."""
    connected: frozenset[str]
    """What the process connected to, or started, by the interpreter's own account."""
    killed: bool
    answer: dict[str, Any] | None
    error: str | None
    """Type and message of what the handler raised."""
    log: str
    """What it has printed: log lines and metrics."""

    @property
    def outcome(self) -> str | None:
        return self.answer["outcome"] if self.answer else None


class Functions:
    """Both functions in a warm process; `environment` is theirs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        path = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ.get("PATH", os.defpath)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "faults.crashes.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=path | dict(environment),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_ANSWER_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()

    def invoke(self, function: str, event: Any, *, ahead_seconds: float = 0, kill: Kill | None = None) -> Invocation:
        """Run `function` when it is `ahead_seconds` later than now, and until it is killed at `kill`: the call's
        number, from 0, and whether it is just about to be sent or has just been answered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        invocation = {
            "function": function,
            "event": event,
            "ahead_seconds": ahead_seconds,
            "remaining_seconds": FUNCTION_SECONDS[function],
            "kill": kill,
        }
        self._process.stdin.write(json.dumps(invocation).encode() + b"\n")
        self._process.stdin.flush()
        readable, _, _ = select.select([self._process.stdout], [], [], _ANSWER_SECONDS)
        line = self._process.stdout.readline() if readable else b""
        if not line:
            raise AssertionError(f"{function} was not to be had: its process said no more")
        *lines, end = json.loads(line)
        return Invocation(
            calls=tuple(said["call"] for said in lines if "call" in said),
            addresses=frozenset(f"{said['host']}:{said['port']}" for said in lines if "call" in said),
            connected=frozenset(said["connected"] for said in lines if "connected" in said),
            killed=end["signal"] == signal.SIGKILL,
            answer=next((said["answer"] for said in lines if "answer" in said), None),
            error=next((said["error"] for said in lines if "error" in said), None),
            log=next(said["log"] for said in lines if "log" in said),
        )
