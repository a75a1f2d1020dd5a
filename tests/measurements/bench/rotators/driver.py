"""Runs one rotator of this folder, warm, in the environment that Lambda gives a function: `driver.py` and its name.

For each line of standard input, a number, it makes so many rotations and prints their mean wall clock and CPU seconds.
"""

import importlib
import json
import os
import sys
import time

# What a rotator prints goes where it costs least, whoever prints: on Lambda it is a pipe.
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
rotate = importlib.import_module(f"bench.rotators.{sys.argv[1]}").rotate
rotate()
for line in sys.stdin:
    count = int(line)
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        rotate()
    seconds = {"wall": (time.perf_counter() - wall) / count, "cpu": (time.process_time() - cpu) / count}
    print(json.dumps(seconds), file=answers, flush=True)
