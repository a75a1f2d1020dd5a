"""The workflows on GitHub run make and pinned actions, with the rights that each job needs.

`make check` runs zizmor, which finds credentials that a checkout leaves behind, and commands with foreign text.
"""

import re

import yaml

from template.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
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


def test_each_action_is_pinned_by_one_hash_with_its_version():
    pins = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w-]+/[\w/-]+)@?(.*)", path.read_text()):
            pins.setdefault(action, set()).add(pin.partition(" # zizmor")[0])
    assert len(pins) >= 5
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}
    for action, (pin,) in pins.items():
        assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), action


def test_a_job_has_the_rights_that_it_needs_and_no_other():
    for path in WORKFLOWS:
        assert yaml.safe_load(path.read_text())["permissions"] == {}
    found = {(workflow, name): job["permissions"] for workflow, name, job in jobs()}
    more = {
        key: {right: of for right, of in rights.items() if (right, of) != ("contents", "read")}
        for key, rights in found.items()
    }
    assert {key: rights for key, rights in more.items() if rights} == RIGHTS
