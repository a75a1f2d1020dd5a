"""While a function is imported, nothing looks for garbage; once it is, all is as ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
LOOKED = "sum(generation['collections'] for generation in gc.get_stats())"


@pytest.mark.parametrize("function", ["rotate", "renew"])
def test_nobody_looks_for_garbage_among_what_is_imported(function):
    code = f"import gc; before = {LOOKED}; import {function}; print({LOOKED} - before, gc.isenabled())"
    environment = {**os.environ, "PYTHONPATH": str(FUNCTIONS), "POWERTOOLS_DEV": "1"}
    command = [sys.executable, "-c", f"{code}; print(gc.get_freeze_count() > 10_000)"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "True", "True"]
