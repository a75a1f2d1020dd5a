"""Lay out functions as Lambda has them on its disk, with the dates of the deployed zip."""

from __future__ import annotations

import compileall
import os
import shutil
from pathlib import Path
from py_compile import PycInvalidationMode

from demo.deployment import ROOT

BUILT = ROOT / ".aws-sam" / "build"
# SAM's date of every file, in seconds since 1970.
_1980 = 315532800
_OF_REQUESTS = ("requests", "urllib3", "certifi", "charset_normalizer", "idna")
_WITHOUT_BYTECODE = shutil.ignore_patterns("__pycache__")
# A rotator of `bench.rotators` rotates when it is called without an event.
_HANDLER = "from {module} import rotate\n\n\ndef handler(event, context):\n    rotate()\n"


def ours(task: Path, function: str, *, bytecode: bool = True) -> None:
    """Lay out the package that `make build` made, or the same files without bytecode."""
    shutil.copytree(BUILT / function, task, ignore=None if bytecode else _WITHOUT_BYTECODE)
    _date(task)


def rotator(task: Path, program: Path) -> None:
    """Lay out a rotator with bytecode, and our versions of requests and of what it needs."""
    for name in _OF_REQUESTS:
        shutil.copytree(BUILT / "RotateFunction" / name, task / name, ignore=_WITHOUT_BYTECODE)
    shutil.copy(program, task)
    (task / "handler.py").write_text(_HANDLER.format(module=program.stem))
    # By the Python that measures, which is of the version that runs it.
    compileall.compile_dir(task, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    _date(task)


def _date(task: Path) -> None:
    for path in task.rglob("*"):
        os.utime(path, (_1980, _1980))
