"""A warm function holds no more memory after thousands of invocations than after hundreds."""

import copy
import os
import subprocess
import sys

from faults.matrix.aws_faults import UNLOCK
from faults.matrix.cases import Case
from faults.matrix.columns import State, Trigger
from faults.matrix.world import running_world
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


def measured(rounds, before=""):
    """Return samples of the resident set of a process that invokes both functions. It first runs the code `before`."""
    with running_world() as world:
        case = Case(world, Trigger.MANUAL, State.STALE)
        world.with_sockets()
        versions, at_first = case.versions(), copy.deepcopy(case.versions())

        def forget():
            """Have each run find the same."""
            if world.aws.calls[-1] == UNLOCK:
                versions.clear()
                versions.update(copy.deepcopy(at_first))
                world.memory.items.clear()
                world.talend.journal.clear()
                world.aws.calls.clear()

        world.aws.after_each = forget
        arguments = (rounds, SAMPLES, case.name, case.rejected[0])
        code = f"{before}\nfrom faults.load.memory import invoke; invoke{arguments}"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        output = subprocess.check_output([sys.executable, "-c", code], env=environment, timeout=3_000)
    return [int(line) for line in output.splitlines()]


def growth(found):
    """Return how much more the last third held than the middle one, as a part of that. The first third warms up."""
    third = len(found) // 3
    middle, last = sorted(found[third : 2 * third]), sorted(found[-third:])
    return last[third // 2] / middle[third // 2] - 1


def test_a_warm_function_does_not_grow():
    found = measured(ROUNDS)
    print(f"{found[-1] / 1e6:.1f} MB, in the last third {growth(found):+.2%}")
    assert growth(found) < _A_LITTLE


def test_a_planted_leak_is_seen():
    assert growth(measured(120, before=LEAK)) > _A_LITTLE
