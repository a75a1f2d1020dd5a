"""The packages hold all that functions and consumers need, nothing else, and bytecode that Lambda can use.

`test_supply_chain.py` holds the package's files against the locks, and `tests/e2e/test_release.py` those of both
functions against a build elsewhere.
"""

import email
import importlib.util
import io
import json
import subprocess
import sys
import tomllib
import zipfile
from modulefinder import ModuleFinder
from pathlib import Path

import pytest
import trim

FUNCTIONS = Path(__file__).parents[2] / "functions"
ENVIRONMENTS = FUNCTIONS.parent / ".environments"
VERSION = tomllib.loads((FUNCTIONS.parent / "pyproject.toml").read_text())["project"]["version"]
# PEP 552: the second word of a .pyc; bit 0 is "checked by hash", bit 1 is "check the source".
UNCHECKED_HASH = 1
RUNTIME = ENVIRONMENTS / "lambda-runtime" / "bin" / "python"


# Of the zip as it is uploaded. A package that is near it has grown, and is to be looked at.
@pytest.mark.parametrize(("folder", "most_bytes"), [("package", 4_000_000), ("layer", 50_000)])
def test_what_is_uploaded_is_small(request, folder, most_bytes):
    archive, folder = io.BytesIO(), request.getfixturevalue(folder)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for path in filter(Path.is_file, folder.rglob("*")):
            writer.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes(), zipfile.ZIP_DEFLATED)
    assert archive.tell() < most_bytes


# Run by an interpreter without any package, with the folder of one SDK on its path.
DESCRIBE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import boto3, botocore.config

def described(shape, above=()):
    if shape is None or shape.name in above:
        return shape and shape.name
    inner = [*getattr(shape, "members", {}).items()]
    inner += [(name, getattr(shape, name)) for name in ("member", "key", "value") if hasattr(shape, name)]
    parts = {name: described(part, (*above, shape.name)) for name, part in inner}
    return shape.name, shape.type_name, dict(shape.serialization), shape.metadata, parts

session = boto3.session.Session(aws_access_key_id="x", aws_secret_access_key="y")
found = {}
for service, operations in json.loads(sys.argv[2]).items():
    for region in ("eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1", "xx-nowhere-1"):
        for variant in ({}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}):
            config = botocore.config.Config(**variant)
            client = session.client(service, region_name=region, config=config)
            found[f"{service} {region} {variant}"] = client.meta.endpoint_url
    model = client.meta.service_model
    found[service] = [model.api_version, model.metadata]
    for name in operations:
        operation = model.operation_model(name)
        shapes = [described(operation.input_shape), described(operation.output_shape)]
        found[name] = [shapes, [shape.name for shape in operation.error_shapes], operation.http]
print(json.dumps([boto3.__file__, found], default=str))
"""


def test_the_packaged_sdk_does_what_the_whole_one_does(package, tmp_path):
    """For the operations that are called, in every partition."""
    whole = Path(importlib.util.find_spec("boto3").origin).parents[1]
    answers = []
    for folder in (package, whole):
        command = [RUNTIME, "-I", "-S", "-B", "-c", DESCRIBE, folder, json.dumps(trim.OPERATIONS)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
        file, found = json.loads(done.stdout)
        assert file.startswith(str(folder))
        answers.append(found)
    assert len(answers[0]) > 40
    assert answers[0] == answers[1]


def test_the_package_is_pure_python_and_runs_on_every_processor(package):
    assert [path for path in package.rglob("*") if path.suffix in (".so", ".pyd", ".dylib")] == []


def test_every_module_has_bytecode_that_is_not_held_against_dates(package):
    for source in package.rglob("*.py"):
        bytecode = Path(importlib.util.cache_from_source(str(source)))
        assert int.from_bytes(bytecode.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_our_code_is_the_code_in_the_repository(package):
    left_out = {"__pycache__", "packaging", "_command_line", "__main__.py"}
    ours = {path.relative_to(FUNCTIONS) for path in FUNCTIONS.rglob("*.py") if not left_out & set(path.parts)}
    packaged = [path for folder in ("rotator", "talend_token") for path in (package / folder).rglob("*.py")]
    assert {path.relative_to(package) for path in packaged} < ours
    for path in ours:
        assert (package / path).read_bytes() == (FUNCTIONS / path).read_bytes(), path


def imported(package, *names):
    """Return the file of every module that a fresh process has after it has imported these, by the module's name.

    The interpreter has no package of its own, so everything comes from the one that is built.
    """
    script = f"""
import json, sys
sys.path.insert(0, {str(package)!r})
import {", ".join(names)}
files = {{name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name != "__main__"}}
print(json.dumps(files))
"""
    command = [RUNTIME, "-I", "-S", "-B", "-c", script]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)


def test_the_package_needs_nothing_of_the_runtime(package):
    found = imported(package, "renew", "rotate")
    assert {"boto3", "botocore", "requests", "urllib3"} <= found.keys()
    ours = {name: path for name, path in found.items() if name.split(".")[0] not in sys.stdlib_module_names}
    assert {name for name, path in ours.items() if path and not path.startswith(str(package))} == set()


def test_nothing_that_is_kept_of_powertools_imports_what_was_left_out(package):
    """Neither at once nor later; only a log line or an answer that is a pydantic model would, and none of ours is."""
    finder = ModuleFinder([str(package)], excludes=["boto3", "botocore"])
    for handler in ("rotate", "renew"):
        finder.run_script(str(package / f"{handler}.py"))
    missing = [name for names in finder.any_missing_maybe() for name in names]
    left_out = [name for name in missing if name.startswith("aws_lambda_powertools")]
    assert left_out == ["aws_lambda_powertools.event_handler.openapi.compat"]


# Packages that a cold start may import beside the standard library. Each one more costs time at every cold start:
# `python -X importtime` says how much.
COLD_START = {
    # The calls of AWS. s3transfer comes with boto3.
    *("boto3", "botocore", "dateutil", "s3transfer", "six"),
    *("certifi", "charset_normalizer", "idna", "requests", "urllib3"),
    # Idempotency compiles its default key path with jmespath, as it is imported.
    *("aws_lambda_powertools", "jmespath", "typing_extensions"),
    *("init_phase", "rotate", "renew", "rotator", "talend_token"),
}
POWERTOOLS = {
    *("exceptions", "logging", "metrics", "middleware_factory", "package_logger", "shared", "tracing", "warnings"),
    *("utilities", "utilities.circuit_breaker", "utilities.idempotency", "utilities.jmespath_utils"),
}
# Of the client a rotation needs the token document and its rules, not the ways to read and to use it.
NOT_OF_THE_CLIENT = {f"talend_token.{name}" for name in ("aio", "httpx", "requests", "secrets_manager")}


@pytest.mark.parametrize("handler", ["rotate", "renew"])
def test_a_cold_start_imports_no_more_than_it_is_known_to(package, handler):
    found = {name for name, path in imported(package, handler).items() if path}
    before = {name for name, path in imported(package, "json").items() if path}
    new = {name.split(".")[0] for name in found - before} - sys.stdlib_module_names
    assert new - COLD_START == set()
    powertools = {name.removeprefix("aws_lambda_powertools.") for name in found if name.startswith("aws_lambda_pow")}
    parts = {".".join(name.split(".")[: 2 if name.startswith("utilities.") else 1]) for name in powertools}
    assert parts - {"aws_lambda_powertools"} == POWERTOOLS
    assert found & NOT_OF_THE_CLIENT == set()


# --- the consumer's client ---

COMMAND_LINE = {
    "talend_token/__main__.py",
    *(str(path.relative_to(FUNCTIONS)) for path in (FUNCTIONS / "talend_token" / "_command_line").glob("*.py")),
}
CLIENT = {
    f"talend_token/{path.name}" for path in (FUNCTIONS / "talend_token").iterdir() if path.suffix in (".py", ".typed")
} - COMMAND_LINE


# A consumer reads no credentials.
OF_THE_ROTATOR = {"talend_token/api_url.py", "talend_token/credentials.py"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [ENVIRONMENTS / "sam" / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, FUNCTIONS.parent]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_client_and_command_line_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert {name for name in archive.namelist() if ".dist-info/" not in name} == CLIENT | COMMAND_LINE


def test_the_wheel_has_its_license_and_depends_on_boto3_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (text,) = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")]
    fields = email.message_from_string(text)
    assert (fields["License-File"], fields["Description-Content-Type"]) == ("LICENSE", "text/markdown")
    assert fields.get_all("Requires-Dist") == [
        "boto3>=1.34",
        "httpx>=0.25; extra == 'httpx'",
        "requests>=2.31; extra == 'requests'",
    ]


def test_the_installed_wheel_has_the_command_and_the_client(wheel, tmp_path):
    uv, python = ENVIRONMENTS / "uv" / "bin" / "uv", tmp_path / "bin" / "python"
    for command in (
        [uv, "venv", "--quiet", "--python", sys.executable, tmp_path],
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel],
    ):
        subprocess.run(command, check=True, capture_output=True)
    settings = {"TALEND_ACCESS_TOKEN": "x", "TALEND_API_URL": "https://api.us.cloud.talend.com"}
    for command, said in (
        ([tmp_path / "bin" / "talend-token", "--version"], f"talend-token {VERSION}\n"),
        ([python, "-m", "talend_token", "--version"], f"talend-token {VERSION}\n"),
        ([python, "-c", "from talend_token import *; print(TokenClient().get_token())"], settings["TALEND_API_URL"]),
    ):
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=settings)
        assert said in done.stdout


def test_the_layer_holds_the_client_where_lambda_looks_for_it(layer):
    files = {str(path.relative_to(layer)) for path in layer.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert files == {f"python/{name}" for name in CLIENT - OF_THE_ROTATOR}


def test_the_layer_has_bytecode_of_its_largest_modules(layer):
    bytecode = {path.name.split(".")[0]: path.read_bytes() for path in layer.rglob("*.pyc")}
    assert bytecode.keys() == {"_client", "document", "secrets_manager"}
    assert {int.from_bytes(content[4:8], "little") for content in bytecode.values()} == {UNCHECKED_HASH}
