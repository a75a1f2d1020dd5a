"""A warm function holds no more memory after thousands of invocations than after hundreds."""

from faults.load.memory import growth, measured
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


def test_a_warm_function_does_not_grow():
    found = measured(ROUNDS, SAMPLES)
    print(f"{found[-1] / 1e6:.1f} MB, in the last third {growth(found):+.2%}")
    assert growth(found) < _A_LITTLE


def test_a_planted_leak_is_seen():
    assert growth(measured(120, SAMPLES, before=LEAK)) > _A_LITTLE
