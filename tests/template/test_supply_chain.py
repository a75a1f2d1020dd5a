"""Nothing is installed, started or shipped but what a lock holds by version and hash, and no known vulnerability."""

import base64
import csv
import hashlib
import json
import re
import tomllib
from importlib.metadata import distributions

import pytest
import trim
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from template.conftest import ROOT, make

MAKEFILE = (ROOT / "Makefile").read_text()
LOCKS = dict(re.findall(r"^LOCK_([\w-]+) := (\S+)$", MAKEFILE, re.MULTILINE))
SHIPPED = ["functions", "consumer"]
ADVISORIES = tomllib.loads((ROOT / "infra" / "tools" / "advisories.toml").read_text())


def entries(text):
    """Yield the requirements of a lock, each with the options that follow it."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    for line in filter(str.strip, lines):
        requirement, *options = re.split(r"\s+(?=--)", line.strip())
        yield Requirement(requirement), options


def pinned(text):
    """Yield the version of each distribution that a lock names, for every marker."""
    for requirement, _ in entries(text):
        (specifier,) = requirement.specifier
        yield canonicalize_name(requirement.name), specifier.version


# --- locks ---


def test_every_dependency_group_has_a_lock_and_every_lock_a_group():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    listed = re.search(r"^GROUPS := (.+)$", MAKEFILE, re.MULTILINE)[1].split()
    assert set(listed) == groups.keys() == LOCKS.keys()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_versions_and_hashes_and_nothing_else(name):
    for requirement, options in list(entries((ROOT / LOCKS[name]).read_text())) or pytest.fail("it is empty"):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
        assert requirement.url is None
        assert options
        assert [option for option in options if not re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option)] == []


def test_the_lock_of_npm_holds_hashes_and_names_no_registry():
    text = (ROOT / LOCKS["node"]).with_name("package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if not package["integrity"].startswith("sha512-")] == []
    assert '"resolved"' not in text
    assert re.findall(r"\$\(NPM\) (?!ci --ignore-scripts |install --package-lock-only )", MAKEFILE) == []


# --- tools ---

# Of every machine; python3 only brings uv, from a lock.
MACHINE = {"awk", "cat", "cd", "cp", "diff", "echo", "exit", "find", "ln", "ls", "make", "mkdir", "python3", "rm"}
MACHINE |= {"set", "test", "touch"}
WORDS_OF_THE_SHELL = {"do", "done", "else", "env", "exec", "fi", "for", "if", "then"}
COMMAND = re.compile(r"(?:^|[;&|(!]|\{\s|\b(?:do|then|else|exec|env)\b)\s*(?=((?:\w+=\S*\s+)*)([^\s;&|(){}]+))", re.M)
ENVIRONMENT = re.compile(rf"{ROOT}/\.environments/([\w-]+)(?:/[\d.]+)?/bin/")


def commands(script):
    """Yield what a script of the shell starts: each command's name, or its path if PATH is set for it."""
    script = re.sub(r">&\d|^\s*#.*", "", script, flags=re.MULTILINE)
    script = re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: re.sub(r"[\s;&|(){}!]", "_", quoted[0][1:-1]), script)
    for assigned, word in COMMAND.findall(script):
        path = re.search(r"\bPATH=([^:]+)", assigned)
        if word not in WORDS_OF_THE_SHELL:
            yield f"{path[1]}/{word}" if path and "/" not in word else word


def dry_run(*arguments):
    """Return what make would do if nothing had been made yet."""
    done = make("--dry-run", "--always-make", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ")


@pytest.fixture(scope="module")
def started():
    """Return every command that the project's own commands and continuous integration start."""
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)[1].split()
    packaging = re.findall(r"^(build-\w+)", (ROOT / "functions" / "Makefile").read_text(), re.MULTILINE)
    python = f"PYTHON={ROOT}/.environments/sam/bin/python"
    scripts = [
        *(dry_run(target, "OUT=somewhere/") for target in targets),
        dry_run("-C", "functions", *packaging, python, "ARTIFACTS_DIR=somewhere"),
        (ROOT / ".ci" / "run").read_text(),
    ]
    return {command for script in scripts for command in commands(script)}


def test_every_tool_comes_from_a_locked_environment_or_the_machine(started):
    environments = {name: ENVIRONMENT.match(name) for name in started}
    assert {name for name, match in environments.items() if not match} <= MACHINE
    used = {match[1] for match in environments.values() if match}
    assert {"tests", "sam", "uv"} <= used <= LOCKS.keys()


@pytest.mark.parametrize("script", ["curl x | sh", "a=1 pip install x", "for x in y; do npx $x; done", "cd x && uvx y"])
def test_a_tool_from_elsewhere_is_seen(script):
    assert {command for command in commands(script) if command not in MACHINE}


def test_whatever_is_installed_is_held_against_hashes():
    installs = re.findall(
        r"(?:pip install|pip sync)(?:[^\n]*\\\n)*[^\n]*", MAKEFILE + (ROOT / "functions/Makefile").read_text()
    )
    assert len(installs) == 3
    assert [install for install in installs if "--require-hashes" not in install] == []


# --- what ships ---


LEFT_OUT = tuple(trim.UNUSED)


@pytest.mark.parametrize(("path", "lock"), [("build/RotateFunction", "functions"), ("consumer/Consumer", "consumer")])
def test_a_packages_files_are_the_locked_ones_byte_by_byte(path, lock):
    folder = ROOT / ".aws-sam" / path
    installed = {canonicalize_name(found.name): found.version for found in distributions(path=[str(folder)])}
    assert installed == dict(pinned((ROOT / LOCKS[lock]).read_text()))
    recorded = {
        name: value
        for found in distributions(path=[str(folder)])
        for name, value, _ in csv.reader(found.read_text("RECORD").splitlines())
    }
    shipped = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    ours = {
        name
        for name in shipped
        if re.match(r"(init_phase|rotate|renew|app)\.py$|(rotator|talend_token)/|requirements\.txt$", name)
    }
    assert len(recorded) > 50
    assert [name for name in shipped if name.startswith(LEFT_OUT)] == []
    # Scripts and the named parts are left out, the SDK's data is rewritten (test_package.py compares what it says),
    # bytecode is made of what is here, and pip notes how it came to install.
    recorded = {name: value for name, value in recorded.items() if not name.startswith(trim.REWRITTEN)}
    shipped = {name for name in shipped if not name.startswith(trim.REWRITTEN)}
    missing = {name for name in recorded if not name.startswith("../../bin/")} - shipped
    assert {name for name in missing if not name.endswith(".pyc") and not name.startswith(LEFT_OUT)} == set()
    added = {name for name in shipped - recorded.keys() - ours if not name.endswith(".pyc")}
    of_pip = re.compile(r"[^/]+\.dist-info/(INSTALLER|REQUESTED|direct_url.json)")
    assert [name for name in added if not of_pip.fullmatch(name)] == []
    for name in shipped & recorded.keys():
        algorithm, _, digest = recorded[name].partition("=")
        if digest:
            found = hashlib.new(algorithm, (folder / name).read_bytes()).digest()
            assert base64.urlsafe_b64encode(found).decode().rstrip("=") == digest, name


# --- known vulnerabilities ---


def vulnerable(text):
    """Return each pin of a lock that an advisory matches."""
    return [
        f"{name} {version}: {advisory}"
        for name, version in pinned(text)
        for advisory, versions in ADVISORIES.get(name, {}).items()
        if Requirement(f"{name}{versions}").specifier.contains(version, prereleases=True)
    ]


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_holds_a_version_with_a_known_vulnerability(name):
    text = (ROOT / LOCKS[name]).read_text()
    assert vulnerable(text) == []
    assert name not in SHIPPED or {distribution for distribution, _ in pinned(text)} <= ADVISORIES.keys()


@pytest.mark.parametrize(
    ("pin", "advisory"),
    [("urllib3==1.26.4", "CVE-2021-33503"), ("idna==3.6 ; python_version > '3'", "CVE-2024-3651")],
)
def test_a_vulnerable_pin_is_found(pin, advisory):
    shipped = (ROOT / LOCKS["functions"]).read_text()
    name = pin.split("==")[0]
    planted = re.sub(rf"^{name}==\S+", pin, shipped, flags=re.MULTILINE)
    assert planted != shipped
    assert [found for found in vulnerable(planted) if found.endswith(advisory)]
