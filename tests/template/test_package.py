"""What ships: all that the functions and consumers need, nothing else, and bytecode that Lambda can use."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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


# --- the consumer's client ---

CLIENT = {
    f"talend_token/{path.name}" for path in (FUNCTIONS / "talend_token").iterdir() if path.suffix in (".py", ".typed")
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [FUNCTIONS.parent / ".environments" / "sam" / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, FUNCTIONS.parent]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_the_client_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
    assert names == CLIENT
    requirements = [line for line in metadata.splitlines() if line.startswith(("Requires-", "Provides-"))]
    assert requirements == [
        "Requires-Python: >=3.10",
        "Requires-Dist: boto3>=1.34",
        "Provides-Extra: httpx",
        "Requires-Dist: httpx>=0.25; extra == 'httpx'",
        "Provides-Extra: requests",
        "Requires-Dist: requests>=2.31; extra == 'requests'",
    ]


def test_the_wheel_works_as_it_is(wheel):
    script = "from talend_token import TokenClient; print(TokenClient().get_token())"
    environment = {
        "PYTHONPATH": str(wheel),
        "TALEND_ACCESS_TOKEN": "x",
        "TALEND_API_URL": "https://api.us.cloud.talend.com",
    }
    printed = subprocess.run(
        [sys.executable, "-s", "-c", script], check=True, capture_output=True, text=True, env=environment
    ).stdout
    assert "api_url='https://api.us.cloud.talend.com'" in printed


def test_the_layer_holds_the_client_where_lambda_looks_for_it(layer):
    files = {str(path.relative_to(layer)) for path in layer.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert files == {f"python/{name}" for name in CLIENT}


def test_the_layers_bytecode_is_not_held_against_dates(layer):
    for source in layer.rglob("*.py"):
        bytecode = Path(importlib.util.cache_from_source(str(source)))
        assert int.from_bytes(bytecode.read_bytes()[4:8], "little") == UNCHECKED_HASH, source
