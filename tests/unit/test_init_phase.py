"""Garbage collection is off while a function is imported, and on afterwards."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
COLLECTIONS = "sum(generation['collections'] for generation in gc.get_stats())"


@pytest.mark.parametrize("function", ["rotate", "renew"])
def test_no_garbage_is_collected_while_a_function_is_imported(function):
    code = f"import gc; before = {COLLECTIONS}; import {function}; print({COLLECTIONS} - before, gc.isenabled())"
    environment = {**os.environ, "PYTHONPATH": str(FUNCTIONS), "POWERTOOLS_DEV": "1"}
    command = [sys.executable, "-c", f"{code}; print(gc.get_freeze_count() > 10_000)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "True"]
