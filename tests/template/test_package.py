"""What ships: all that the function needs, nothing else, and bytecode that Lambda can use."""

import importlib.util
import subprocess
import sys
from pathlib import Path

FUNCTIONS = Path(__file__).parents[2] / "functions"
# PEP 552: the second word of a .pyc; bit 0 is "checked by hash", bit 1 is "check the source".
UNCHECKED_HASH = 1


def test_the_package_holds_our_code_and_its_locked_dependencies_and_nothing_else(package):
    top = {path.name for path in package.iterdir() if not path.name.endswith(".dist-info")}
    assert top == {
        "__pycache__",
        "aws_lambda_powertools",
        "certifi",
        "charset_normalizer",
        "idna",
        "jmespath",
        "renew.py",
        "requests",
        "rotate.py",
        "rotator",
        "talend_token",
        "typing_extensions.py",
        "urllib3",
    }


def test_the_package_is_pure_python_and_runs_on_every_processor(package):
    assert [path for path in package.rglob("*") if path.suffix in (".so", ".pyd", ".dylib")] == []


def test_every_module_has_bytecode_that_is_not_held_against_dates(package):
    for source in package.rglob("*.py"):
        bytecode = Path(importlib.util.cache_from_source(str(source)))
        assert int.from_bytes(bytecode.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_our_code_is_the_code_in_the_repository(package):
    ours = [path for path in FUNCTIONS.rglob("*.py") if "__pycache__" not in path.parts]
    assert len(ours) > 15
    for path in ours:
        assert (package / path.relative_to(FUNCTIONS)).read_bytes() == path.read_bytes(), path


def test_the_handlers_are_importable_from_the_package_and_the_runtimes_boto3_alone(package):
    script = (
        f"import sys; sys.path.insert(0, {str(package)!r}); import renew, rotate, requests; print(requests.__file__)"
    )
    runtime = FUNCTIONS.parent / ".environments" / "lambda-runtime" / "bin" / "python"
    imported = subprocess.run([runtime, "-I", "-c", script], check=True, capture_output=True, text=True, cwd="/")
    assert imported.stdout.startswith(str(package))
    assert sys.version_info[:2] == (3, 13)
