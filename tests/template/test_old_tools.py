"""The project is set up with an old pip and with the make of macOS, and not in a path with a space."""

import re
import shutil
import subprocess

import pytest

from template.conftest import ROOT, make

MAKEFILES = [ROOT / "Makefile", ROOT / "functions" / "Makefile"]


# --- pip 21.3.1, as Amazon Linux 2023 has it ---


def test_an_old_pip_knows_the_options_that_bring_uv():
    (install,) = re.findall(r"python3 -m pip install (.+)", MAKEFILES[0].read_text())
    known = {"--quiet", "--disable-pip-version-check", "--require-hashes", "--target"}
    assert set(re.findall(r"--[\w-]+", install)) == known


# --- GNU make 3.81 and BSD tools, as macOS has them ---


def test_make_lists_every_command():
    listed = re.findall(r"^make ([a-z]+) +\S", make().stdout, re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.+)$", MAKEFILES[0].read_text(), re.MULTILINE)[1].split()
    assert sorted(listed) == sorted(declared)


@pytest.mark.parametrize("makefile", MAKEFILES, ids=["main", "functions"])
def test_no_makefile_relies_on_what_macos_lacks(makefile):
    """make 3.81 does not know .SHELLFLAGS: a line of several commands has to stop by itself."""
    text = re.sub(r"\\\n\s*", "", makefile.read_text())
    assert ".SHELLFLAGS" not in text
    assert "\\t" not in text
    loops = [line for line in text.splitlines() if line.startswith("\t") and re.search(r"\bfor \w+ in\b|foreach", line)]
    # The main one is what this is about: make of macOS runs it, and `sam build` the other.
    assert loops or makefile.parent.name == "functions"
    for line in loops:
        assert line.startswith("\t@set -e; ") or "|| exit 1" in line or "exit $$failed" in line, line


# --- one more account ---


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("", "--parameter-overrides Account=sales"),
        ("--region eu-west-1", "--parameter-overrides Account=sales --region eu-west-1"),
        (
            "--region eu-west-1 --parameter-overrides MainStack=other",
            "--region eu-west-1 --parameter-overrides Account=sales MainStack=other",
        ),
    ],
)
def test_an_account_takes_more_parameters(arguments, given):
    """SAM takes the last `--parameter-overrides` for the only one."""
    assert "make account NAME=sales" in make("account").stderr
    command = make("--dry-run", "account", "NAME=sales", f"ARGS={arguments}").stdout
    said = " ".join(command.replace("\\\n", " ").split())
    assert said.endswith(f"--stack-name talend-token-sales {given}")
    assert f"--config-file {ROOT}/samconfig.toml --template-file infra/account.yaml" in said


# --- a path with a space ---


@pytest.mark.parametrize("command", ["help", "demo", "test"])
def test_a_checkout_whose_path_has_a_space_is_refused_in_one_line(tmp_path, command):
    folder = tmp_path / "two words"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    done = subprocess.run(["make", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert "the path of this checkout has a space in it" in line
    assert "Move it" in line
