"""Builds a release of this tree in another folder, unpacks the one before it, and runs what docs/releasing.md shows."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

from local_aws import ENVIRONMENTS

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NAME = f"talend-token-{VERSION}"
NOT_SOURCES = (".git", ".environments", ".aws-sam", "dist", "__pycache__", ".*_cache", ".hypothesis", ".coverage")
WHEN = "2026-01-02T03:04:05Z"
# The file holds what `git archive` makes of the tag of the release before this one; docs/releasing.md says how.
ARCHIVE = ROOT / "tests" / "e2e" / "previous-release.tar.xz"
PACKAGE = ROOT / ".aws-sam" / "build" / "RotateFunction"


def git(folder: Path, *arguments: str) -> None:
    who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com", "GIT_AUTHOR_DATE": WHEN}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], cwd=folder, check=True, env=os.environ | who)


def checkout(folder: Path) -> Path:
    """Return a checkout of this tree, tagged as a release."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    return commit(folder, f"v{VERSION}")


def commit(folder: Path, tag: str) -> Path:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Release")
    git(folder, "tag", tag)
    return folder


def release(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run what `make release` runs."""
    sam = ENVIRONMENTS / "sam" / "bin"
    environment = os.environ | {"PATH": f"{sam}:{os.environ['PATH']}", "PYTHON": str(sam / "python")}
    command = [str(ENVIRONMENTS / "release" / "bin" / "python"), "infra/tools/release.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def documented(section: str) -> str:
    """Return the commands of a section of docs/releasing.md as one script."""
    text = (ROOT / "docs" / "releasing.md").read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-euc", script]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def unpack_previous(folder: Path) -> Path:
    """Unpack the templates and the code of the release before this one into `folder`; return the main template."""
    shutil.unpack_archive(ARCHIVE, folder, filter="data")
    return folder / "template.yaml"


def unpack_previous_package(folder: Path) -> Path:
    """Unpack that release so that `sam deploy` takes it; the libraries that it is packaged with are those of today."""
    template = unpack_previous(folder)
    functions, layer = folder / "functions", folder / "layer"
    shutil.copytree(functions / "talend_token", layer / "python" / "talend_token")
    ours = {path.name for path in functions.iterdir()} | {"__pycache__"}
    for library in PACKAGE.iterdir():
        if library.name not in ours:
            copy = shutil.copytree if library.is_dir() else shutil.copy
            copy(library, functions / library.name)
    text = template.read_text()
    template.write_text(text.replace("ContentUri: functions/", "ContentUri: layer/"))
    return template
