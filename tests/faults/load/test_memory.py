"""A warm function holds no more memory after thousands of invocations than after hundreds."""

import contextlib
import gc
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.upstream import environment, running_upstream
from faults.size import chosen

# Two invocations each: a rotation and a renewal.
ROUNDS = chosen(300, 5_000)
SAMPLES = 30
# A few pages come and go. Each invocation's responses, kept, are 40 kB.
_A_LITTLE = 0.01
LEAK = """
import json
kept, loads = [], json.loads
def leak(text, **options):
    kept.append(text * 20)
    return loads(text, **options)
json.loads = leak
"""


def invoke(rounds, rejected):
    """Print the resident set in bytes at several moments. Each round is a rotation and a renewal by the real code."""
    import renew
    import rotate

    context: Any = SimpleNamespace(
        function_name="function",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:function",
        aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        get_remaining_time_in_millis=lambda: 30_000,
    )
    for number in range(1, rounds + 1):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            for handler in (rotate, renew):
                handler.logger.registered_handler.stream = output
            rotated = rotate.handler({}, context)
            renewed = renew.handler({"rejected_version_id": rejected}, context)
        assert (rotated["outcome"], renewed["outcome"]) == ("rotated", "rotated")
        if number % (rounds // SAMPLES) == 0:
            gc.collect()
            print(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"), flush=True)


def growth(rounds, before=""):
    """Return how much more the last third of samples held than the middle one, as a part of that.

    The first third warms up. The process first runs the code `before`.
    """
    with running_upstream() as upstream:
        rejected = upstream.publish(life_seconds=36_000, age_seconds=18_000)
        code = f"{before}\nfrom faults.load.test_memory import invoke; invoke({rounds}, {rejected!r})"
        variables = environment(upstream) | {"PYTHONPATH": os.pathsep.join(sys.path)}
        output = subprocess.check_output([sys.executable, "-c", code], env=variables, timeout=3_000)
    found, third = [int(line) for line in output.splitlines()], SAMPLES // 3
    middle, last = sorted(found[third : 2 * third]), sorted(found[-third:])
    grown = last[third // 2] / middle[third // 2] - 1
    print(f"{found[-1] / 1e6:.1f} MB, in the last third {grown:+.2%}")
    return grown


def test_a_warm_function_does_not_grow():
    assert growth(ROUNDS) < _A_LITTLE


def test_a_planted_leak_is_seen():
    assert growth(120, before=LEAK) > _A_LITTLE
