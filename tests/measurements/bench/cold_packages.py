"""What is deployed, as Lambda has it on its disk: zipped as `sam deploy` does, and unpacked with the zip's dates."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from py_compile import PycInvalidationMode
from tempfile import TemporaryDirectory

from demo.deployment import ROOT
from local_aws import ENVIRONMENTS

BUILT = ROOT / ".aws-sam" / "build"
BENCH = Path(__file__).parent
PYTHON = ENVIRONMENTS / "lambda-runtime" / "bin" / "python"
# SAM's date of every file, in seconds since 1970.
_1980 = 315532800
_OF_REQUESTS = ("requests", "urllib3", "certifi", "charset_normalizer", "idna")
# Both of these rotate when they are called without an event.
_CALL = "from {module} import rotate\n\n\ndef handler(event, context):\n    rotate()\n"


def deployed(source: Path, target: Path) -> Path:
    """Unpack in `target` what is in `source`, by way of a zip."""
    with TemporaryDirectory() as folder:
        archive = Path(shutil.make_archive(str(Path(folder) / "package"), "zip", source))
        with zipfile.ZipFile(archive) as reader:
            reader.extractall(target)
    for path in target.rglob("*"):
        os.utime(path, (_1980, _1980))
    return target


def compile_runtime() -> None:
    """Give all of Lambda's own libraries bytecode: else only those have it that an earlier run imported."""
    subprocess.run(
        [PYTHON, "-c", "import compileall, site; compileall.compile_dir(site.getsitepackages()[0], quiet=2)"],
        check=True,
    )


def ours(function: str, *, bytecode: bool) -> Callable[[Path], Path]:
    """The package that `make build` made, or the same files without bytecode."""

    def package(folder: Path) -> Path:
        source = folder / "source"
        shutil.copytree(BUILT / function, source, ignore=None if bytecode else shutil.ignore_patterns("__pycache__"))
        return deployed(source, folder / "task")

    return package


def other(program: Path, *, bytecode: bool) -> Callable[[Path], Path]:
    """A handler in one file, with the versions of requests and what it needs that are in ours, if it takes it."""

    def package(folder: Path) -> Path:
        source = folder / "source"
        source.mkdir()
        shutil.copy(program, source)
        if program.parent.name == "rotators":
            (source / "handler.py").write_text(_CALL.format(module=program.stem))
            for name in _OF_REQUESTS:
                without = shutil.ignore_patterns("__pycache__")
                shutil.copytree(BUILT / "RotateFunction" / name, source / name, ignore=without)
        if bytecode:
            # By the Python that measures, which is of the version that runs it.
            compileall.compile_dir(source, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
        return deployed(source, folder / "task")

    return package
