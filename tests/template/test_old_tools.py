"""The project is set up with an old pip and with the make of macOS, and not in a path with a space."""

import hashlib
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from template.conftest import ROOT, make

MAKEFILES = [ROOT / "Makefile", ROOT / "functions" / "Makefile"]
# pip 21.3.1 runs on no later Python than this.
OLD_PYTHONS = [f"python3.{minor}" for minor in range(11, 6, -1)]


# --- pip 21.3.1, as Amazon Linux 2023 has it ---


@pytest.fixture
def old_python(tmp_path):
    """Return a folder whose `python3` has pip 21.3.1."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(name) for name in OLD_PYTHONS] + sorted(versions.glob("3.[789].*/bin/python3"))
    candidates += sorted(versions.glob("3.1[01].*/bin/python3"), reverse=True)
    (site_packages,) = (ROOT / ".environments" / "old-pip" / "lib").glob("python*/site-packages")
    folder = tmp_path / "bin"
    folder.mkdir()
    for python in filter(None, candidates):
        (folder / "python3").write_text(f'#!/bin/sh\nPYTHONPATH={site_packages} exec {python} "$@"\n')
        (folder / "python3").chmod(0o755)
        shown = subprocess.run(
            [folder / "python3", "-m", "pip", "--version"], capture_output=True, text=True, check=False
        )
        if shown.stdout.startswith("pip 21.3.1 "):
            return folder
    pytest.skip(f"pip 21.3.1 needs one of {', '.join(OLD_PYTHONS)}")


@pytest.fixture
def uv_wheel(tmp_path):
    """Return a wheel by the name of uv that only says its name, and its lock."""
    wheel = tmp_path / "wheels" / "uv-0.1-py3-none-any.whl"
    wheel.parent.mkdir()
    files = {
        "uv-0.1.data/scripts/uv": "#!/bin/sh\necho this is uv\n",
        "uv-0.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 0.1\n",
        "uv-0.1.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files["uv-0.1.dist-info/RECORD"] = "".join(f"{name},,\n" for name in [*files, "uv-0.1.dist-info/RECORD"])
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    lock = tmp_path / "uv.txt"
    lock.write_text(f"uv==0.1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    return wheel, lock


def test_old_pip_sets_the_project_up_with_what_is_locked_alone(tmp_path, old_python, uv_wheel):
    wheel, lock = uv_wheel
    uv = tmp_path / "environments" / "uv" / "bin" / "uv"
    arguments = (uv, f"ENVIRONMENTS={tmp_path / 'environments'}", f"LOCK_uv={lock}")
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent), "PIP_CACHE_DIR": str(tmp_path / "cache")}
    offline["PATH"] = f"{old_python}:{os.environ['PATH']}"
    good = lock.read_text()
    lock.write_text(re.sub("sha256:.*", f"sha256:{'0' * 64}", good))
    refused = make(*arguments, **offline)
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert refused.returncode != 0
    assert not uv.exists()
    lock.write_text(good)
    made = make(*arguments, **offline)
    assert made.returncode == 0, made.stderr
    assert subprocess.run(["sh", uv], capture_output=True, text=True, check=True).stdout == "this is uv\n"


# --- GNU make 3.81 and BSD tools, as macOS has them ---


def test_make_lists_every_command():
    listed = re.findall(r"^make ([a-z]+) +\S", make().stdout, re.MULTILINE)
    declared = re.search(r"^\.PHONY: (.+)$", MAKEFILES[0].read_text(), re.MULTILINE)[1].split()
    assert sorted(listed) == sorted(declared)


def test_a_command_stops_at_its_first_failure(tmp_path):
    """make 3.81 does not know .SHELLFLAGS: a line of several commands has to stop by itself."""
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\ncase "$*" in *:functions*) exit 1;; esac\n')
    uv.chmod(0o755)
    made = make("lock", f"UV={uv}", f"OUT={tmp_path}/")
    assert made.returncode != 0
    uv.write_text("#!/bin/sh\n")
    os.utime(uv)
    assert make("lock", f"UV={uv}", f"OUT={tmp_path}/").returncode == 0


@pytest.mark.parametrize("makefile", MAKEFILES, ids=["main", "functions"])
def test_no_makefile_relies_on_what_macos_lacks(makefile):
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
