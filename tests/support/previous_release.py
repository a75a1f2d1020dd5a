"""The release before this one, as its users have it deployed: its templates and the project's own code of then."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
# The file holds what `git archive` makes of the release's tag; docs/releasing.md says how.
ARCHIVE = ROOT / "tests" / "e2e" / "previous-release.tar.xz"
PACKAGE = ROOT / ".aws-sam" / "build" / "RotateFunction"


def unpack(folder: Path) -> Path:
    """Unpack the templates and the code into `folder`; returns the main template."""
    shutil.unpack_archive(ARCHIVE, folder, filter="data")
    return folder / "template.yaml"


def unpack_packaged(folder: Path) -> Path:
    """Unpack the release so that `sam deploy` takes it; the libraries that it is packaged with are those of today."""
    template = unpack(folder)
    functions, layer = folder / "functions", folder / "layer"
    shutil.copytree(functions / "talend_token", layer / "python" / "talend_token")
    ours = {path.name for path in functions.iterdir()} | {"__pycache__"}
    for library in (path for path in PACKAGE.iterdir() if path.name not in ours):
        if library.is_dir():
            shutil.copytree(library, functions / library.name)
        else:
            shutil.copy(library, functions)
    text = template.read_text()
    template.write_text(text.replace("ContentUri: functions/", "ContentUri: layer/"))
    return template
