"""Run one rotator of this folder, warm, in the environment that Lambda gives a function: `driver.py` and its name.

For each line of standard input, a list with a number, it rotates that often and prints the mean seconds of wall clock
and CPU.
"""

import importlib
import json
import os
import sys
import time

# A rotator's output goes where it costs least, because on Lambda it is a pipe.
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
rotate = importlib.import_module(f"bench.rotators.{sys.argv[1]}").rotate
for line in sys.stdin:
    (count,) = json.loads(line)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        rotate()
    print(
        json.dumps([(time.perf_counter() - wall) / count, (time.process_time() - cpu) / count]),
        file=answers,
        flush=True,
    )
