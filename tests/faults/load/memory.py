"""The memory of warm functions after many invocations, in a process of their own.

Each round is a rotation and a renewal by the real handlers over the real adapters, which call `bench.rotation_server`.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_PUBLISHED = "11111111-1111-4111-8111-111111111111"
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PYTHON = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ.get("PATH", os.defpath)}


class Context:
    """Lambda's context of an invocation."""

    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def measured(rounds: int, samples: int, before: str = "") -> list[int]:
    """Return the resident set in bytes at `samples` moments of a process that invokes both functions `rounds` times.

    It first runs the code `before`, such as a leak.
    """
    with _server() as ports:
        environment = _PYTHON | {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{ports['secretsmanager']}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{ports['dynamodb']}",
            "TALEND_API_URL": f"http://127.0.0.1:{ports['token endpoint']}",
            "SECRET_PREFIX": "talend",
            "SCHEDULE_EXPRESSION": "rate(25 minutes)",
            "LOCK_TABLE": "locks",
            "STACK_NAME": "memory",
            "POWERTOOLS_SERVICE_NAME": "memory",
        }
        code = f"{before}\nfrom faults.load.memory import main; main({rounds}, {samples})"
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=900
        )
    assert done.returncode == 0, f"the functions' process has failed: {done.stderr[-2_000:]}"
    found: list[int] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth(found: Sequence[int]) -> float:
    """Return how much more the last third held than the middle one, as a part of that. The first third warms up."""
    third = len(found) // 3
    middle, last = sorted(found[third : 2 * third]), sorted(found[-third:])
    return last[third // 2] / middle[third // 2] - 1


def main(rounds: int, samples: int) -> None:
    """Run in the functions' process; the last line of output is the samples."""
    import renew
    import rotate

    found = []
    for number in range(1, rounds + 1):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            for handler in (rotate, renew):
                handler.logger.registered_handler.stream = output
            rotated = rotate.handler({}, Context())  # type: ignore[arg-type]
            renewed = renew.handler({"rejected_version_id": _PUBLISHED}, Context())  # type: ignore[arg-type]
        assert (rotated["outcome"], renewed["outcome"]) == ("rotated", "rotated")
        if number % (rounds // samples) == 0:
            gc.collect()
            found.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES)
    print(json.dumps(found))


@contextlib.contextmanager
def _server() -> Iterator[dict[str, int]]:
    command = [sys.executable, "-m", "bench.rotation_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_PYTHON, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield json.loads(server.stdout.readline())
        server.stdin.close()
