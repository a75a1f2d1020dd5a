"""Build the artifacts of a release in dist/, reproducibly, from the tag that is checked out.

`make release` calls it, puts hatchling on PATH and sets PYTHON, the interpreter that packages the functions. The build
uses an export of the tag, so it cannot contain files that git ignores.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

# The zip files of a release, each with the target of functions/Makefile that builds its content, as for `sam build`.
# One zip file serves both functions, because they have the same package.
FUNCTIONS, LAYER = "functions.zip", "client-layer.zip"
TARGETS = {FUNCTIONS: "build-RotateFunction", LAYER: "build-ClientLayer"}
# The lines of template.yaml that name the sources for `sam build`, each with the zip file that replaces them.
SOURCES = {"    CodeUri: functions/\n": FUNCTIONS, "      ContentUri: functions/\n": LAYER}
# The first date that a zip file can hold.
NO_DATE = (1980, 1, 1, 0, 0, 0)


class Refused(Exception):
    """This tree is not a release. The message says why, in one line."""


@dataclass(frozen=True)
class Release:
    """A version, and the time of the tagged commit, which is the date of everything that has a date."""

    version: str
    epoch: int


def main(root: Path) -> None:
    """Build the release of the checkout at `root`, and replace the content of its dist/.

    Raises:
        Refused: the tag, pyproject.toml and CHANGELOG.md name different versions, or files differ from the tag's.
    """
    release = Release(agreed_version(root), int(_run(root, "git", "log", "-1", "--format=%ct")))
    dist = root / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        exported = Path(folder, "release.tar")
        _run(root, "git", "archive", "--output", str(exported), "HEAD")
        source = Path(folder, "source")
        shutil.unpack_archive(exported, source, filter="data")
        build(source, dist, release)
    print("\n".join(path.name for path in sorted(dist.iterdir())))


def agreed_version(root: Path) -> str:
    """Return the version that the tag, pyproject.toml and CHANGELOG.md agree on."""
    changed = _run(root, "git", "status", "--porcelain")
    if changed:
        raise Refused(f"a release is built from a clean checkout: commit or remove {changed.split()[1]}")
    tags = [tag for tag in _run(root, "git", "tag", "--points-at", "HEAD").split() if re.match(r"v\d", tag)]
    latest = re.search(r"^## (\S+)", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    found = {
        "the tag of this commit": tags[0].removeprefix("v") if tags else "missing",
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"],
        "CHANGELOG.md": latest[1] if latest else "missing",
    }
    if len(set(found.values())) > 1:
        raise Refused("these must be one version: " + ", ".join(f"{what} is {value}" for what, value in found.items()))
    return tags[0].removeprefix("v")


def build(source: Path, dist: Path, release: Release) -> None:
    """Build every artifact of the tree at `source` into `dist`."""
    # hatchling dates the files of the wheel and the sdist with it.
    os.environ["SOURCE_DATE_EPOCH"] = str(release.epoch)
    _run(source, "hatchling", "build", "--target", "wheel", "--target", "sdist", "--directory", str(dist))
    name = f"talend-token-{release.version}"
    stack = {f"{name}/{path}": content for path, content in templates(source)}
    for zip_name, target in TARGETS.items():
        built = source / target
        built.mkdir()
        _run(source / "functions", "make", target, f"ARTIFACTS_DIR={built}")
        files = {str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*") if path.is_file()}
        content = zipped(files)
        stack[f"{name}/{zip_name}"] = content
        sbom = bill_of_materials(built, zip_name, content, release)
        (dist / f"{name}-{zip_name.removesuffix('.zip')}.cdx.json").write_text(sbom)
        if zip_name == LAYER:
            (dist / f"{name}-{zip_name}").write_bytes(content)
    (dist / f"{name}.zip").write_bytes(zipped(stack))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir())]
    (dist / "SHA256SUMS").write_text("".join(sums))


def templates(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a release by path: the templates that need no build, their settings, and the documents."""
    text = (source / "template.yaml").read_text()
    for line, zip_name in SOURCES.items():
        if text.count(line) != 1:
            raise Refused(f"template.yaml has the line {line.strip()!r} {text.count(line)} times, which must be one")
        text = text.replace(line, line.replace("functions/", zip_name))
    yield "template.yaml", text.encode()
    nested = [path for path in (source / "infra").glob("*.yaml") if b"CodeUri:" not in path.read_bytes()]
    for path in [*nested, *(source / name for name in ("samconfig.toml", "CHANGELOG.md", "LICENSE"))]:
        yield str(path.relative_to(source)), path.read_bytes()


def zipped(files: dict[str, bytes]) -> bytes:
    """Return a zip of these files. Its bytes depend only on the files and on Python's zlib."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, NO_DATE)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            archive.writestr(member, files[name], zipfile.ZIP_DEFLATED, 9)
    return content.getvalue()


def bill_of_materials(folder: Path, zip_name: str, content: bytes, release: Release) -> str:
    """Return a CycloneDX document of a built package's content: the client, and distributions by their metadata."""
    digest = hashlib.sha256(content).hexdigest()
    subject = Component(
        name=f"talend-token {zip_name}",
        version=release.version,
        type=ComponentType.APPLICATION,
        bom_ref=zip_name,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
    )
    found = {_normalized(one.name): one for one in distributions(path=[str(folder)])}
    parts = {name: _component(name, one.version, _license(one)) for name, one in found.items()}
    client = _component("talend-token", release.version, "MIT")
    moment = datetime.fromtimestamp(release.epoch, UTC)
    bom = Bom(
        components=[client, *parts.values()],
        serial_number=uuid5(NAMESPACE_OID, digest),
        metadata=BomMetaData(component=subject, timestamp=moment),
    )
    bom.register_dependency(subject, [client, *parts.values()])
    for name, one in found.items():
        bom.register_dependency(parts[name], [parts[other] for other in _required(one) if other in parts])
    text: str = JsonV1Dot6(bom).output_as_string(indent=2)
    return text + "\n"


def _component(name: str, version: str, license_name: str) -> Component:
    url = PackageURL("pypi", name=name, version=version)
    licenses = [LicenseFactory().make_from_string(license_name)]
    return Component(name=name, version=version, purl=url, bom_ref=str(url), licenses=licenses)


def _license(distribution: Distribution) -> str:
    metadata = distribution.metadata
    return metadata.get("License-Expression") or metadata["License"]


def _required(distribution: Distribution) -> set[str]:
    """Return the names of the distributions that this one requires, without those of its extras."""
    lines = [line for line in distribution.requires or [] if "extra ==" not in line]
    return {_normalized(re.split(r"[^\w.-]", line)[0]) for line in lines}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{' '.join(command[:2])} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    try:
        main(Path(__file__).resolve().parents[2])
    except Refused as error:
        sys.exit(f"no release: {error}")
