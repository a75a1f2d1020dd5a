"""The workflows on GitHub run make and pinned actions, with the rights that each job needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ZIZMOR = [ROOT / ".environments" / "workflows" / "bin" / "zizmor", "--offline", "--quiet", "--strict-collection"]
# Every right beyond reading the code, by workflow and job.
RIGHTS = {
    ("codeql", "scan"): {"security-events": "write"},
    ("deploy", "deploy"): {"id-token": "write"},
    ("release", "build"): {"id-token": "write", "attestations": "write"},
    ("release", "github"): {"contents": "write"},
    ("release", "pypi"): {"id-token": "write"},
}


def jobs():
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            yield path.stem, name, job


def steps():
    return [step for _, _, job in jobs() for step in job.get("steps", [])]


def test_the_workflows_that_a_release_takes_are_there():
    assert [path.stem for path in WORKFLOWS] == ["ci", "codeql", "dependency-review", "deploy", "release"]


def test_a_workflow_runs_nothing_but_make():
    commands = [step["run"] for step in steps() if "run" in step]
    targets = set(re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split())
    assert len(commands) >= 5
    for command in commands:
        target = re.fullmatch(r"make (\S+|\$\{\{ matrix\.command }})( \w+=\S+( matrix\.python }})?)?", command)
        assert target, command
        assert target[1] in targets | {"${{ matrix.command }}"}
    asked = [job["strategy"]["matrix"]["command"] for _, _, job in jobs() if "command" in str(job.get("strategy"))]
    assert asked == [["check", "test"], ["check", "demo"]]


def test_ci_runs_what_the_project_runs_on_each_python_of_the_client():
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    (pythons,) = [job["strategy"]["matrix"]["python"] for _, name, job in jobs() if name == "client"]
    assert pythons == classifiers


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_each_action_is_pinned_by_hash_with_its_version(path):
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    for action, comment in used:
        if action != "$/.github/workflows/ci.yml":
            assert re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", action), action
            assert re.match(r" # v\d+\.\d+\.\d+( #|$)", comment), action


def test_an_action_has_one_version_everywhere():
    pins = {}
    for path in WORKFLOWS:
        for action, version in re.findall(r"uses: (\S+)@(\S+ # \S+)", path.read_text()):
            pins.setdefault(action, set()).add(version)
    assert {action for action, versions in pins.items() if len(versions) > 1} == set()


def test_a_job_has_the_rights_that_it_needs_and_no_other():
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {}
    found = {(workflow, name): job["permissions"] for workflow, name, job in jobs()}
    more = {
        key: {right: of for right, of in rights.items() if (right, of) != ("contents", "read")}
        for key, rights in found.items()
    }
    assert {key: rights for key, rights in more.items() if rights} == RIGHTS


def test_no_checkout_leaves_its_credentials_behind():
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step["with"]["persist-credentials"]] == []


WEAK = {
    "an action by its tag": (r"(actions/checkout)@\S+ # v7\S+", r"\1@v7"),
    "credentials that stay": ("persist-credentials: false", "fetch-depth: 0"),
    "a trigger that runs foreign code": ("  pull_request:", "  pull_request_target:"),
    "a foreign name in a command": (r"run: make .*matrix.command.*", "run: make ${{ github.head_ref }}"),
    "a misspelt key": ("runs-on", "run-on"),
}


def lint(folder):
    return subprocess.run([*ZIZMOR, folder / ".github"], capture_output=True, text=True, check=False)


def test_the_linter_finds_nothing():
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("what", WEAK)
def test_the_linter_finds_a_weak_workflow(tmp_path, what):
    shutil.copytree(GITHUB, tmp_path / ".github")
    workflow = tmp_path / ".github" / "workflows" / "ci.yml"
    weak = re.sub(*WEAK[what], workflow.read_text())
    assert weak != workflow.read_text()
    workflow.write_text(weak)
    assert lint(tmp_path).returncode != 0
