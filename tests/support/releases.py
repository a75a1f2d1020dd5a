"""Builds a release of this tree in another folder, and runs what docs/releasing.md shows."""

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


def git(folder: Path, *arguments: str) -> None:
    who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com", "GIT_AUTHOR_DATE": WHEN}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], cwd=folder, check=True, env=os.environ | who)


def checkout(folder: Path) -> Path:
    """A checkout of this tree, tagged as a release."""
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
    """The commands of a section of docs/releasing.md, as one script."""
    text = (ROOT / "docs" / "releasing.md").read_text().partition(f"## {section}\n")[2].partition("\n## ")[0]
    return "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-euc", script]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )
