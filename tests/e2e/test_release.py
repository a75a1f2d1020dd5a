"""A release: built twice the same, whole, described by what is in it, and refused where versions disagree."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile

import pytest

from local_aws import ENVIRONMENTS
from releases import NAME, ROOT, VERSION, commit, documented, release, run


@pytest.fixture(scope="module")
def unpacked(dist, tmp_path_factory):
    """Return what a user has after unpacking the release."""
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.unpack_archive(dist / f"{NAME}.zip", folder)
    return folder / NAME


def files(zip_file):
    with zipfile.ZipFile(zip_file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- what is in it ---


def test_two_builds_are_the_same_bytes_and_as_the_page_lists_them(dists):
    one, another = ({path.name: path.read_bytes() for path in dist.iterdir()} for dist in dists)
    assert one == another
    page = (ROOT / "docs" / "releasing.md").read_text()
    assert one.keys() == set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))


def test_the_checksums_cover_every_artifact(dist):
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in dist.iterdir()}
    del found["SHA256SUMS"]
    assert dict(reversed(line.split("  ")) for line in lines) == found


def test_the_documented_check_finds_a_changed_file(dist, tmp_path):
    # Only some files, as a user may have downloaded.
    for name in ("SHA256SUMS", f"{NAME}.zip"):
        shutil.copy(dist / name, tmp_path)
    assert run(documented("Verify"), tmp_path).returncode == 0
    with (tmp_path / f"{NAME}.zip").open("ab") as file:
        file.write(b"x")
    done = run(documented("Verify"), tmp_path)
    assert done.returncode != 0
    assert f"{NAME}.zip: FAILED" in done.stdout


@pytest.mark.parametrize(
    ("name", "built"),
    [("functions", "RotateFunction"), ("functions", "RenewFunction"), ("client-layer", "ClientLayer")],
)
def test_a_zip_holds_what_sam_builds_elsewhere(dist, unpacked, name, built):
    folder = ROOT / ".aws-sam" / "build" / built
    there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files(unpacked / f"{name}.zip") == there
    # The layer is released alone, too.
    assert name == "functions" or files(dist / f"{NAME}-{name}.zip") == there


def test_the_template_is_the_trees_with_zips_for_sources(unpacked):
    tree, released = ((folder / "template.yaml").read_text().splitlines() for folder in (ROOT, unpacked))
    changed = [pair for pair in zip(tree, released, strict=True) if pair[0] != pair[1]]
    assert [[line.strip() for line in pair] for pair in changed] == [
        ["CodeUri: functions/", "CodeUri: functions.zip"],
        ["ContentUri: functions/", "ContentUri: client-layer.zip"],
    ]


OURS = re.compile(r"(python/)?(init_phase|rotate|renew|rotator|talend_token|__pycache__)\b")


@pytest.mark.parametrize("name", ["functions", "client-layer"])
def test_the_bill_of_materials_lists_what_is_in_the_zip(dist, unpacked, name):
    content, bill = files(unpacked / f"{name}.zip"), json.loads((dist / f"{NAME}-{name}.cdx.json").read_text())
    metadata = [content[path].decode() for path in content if path.endswith(".dist-info/METADATA")]
    fields = [dict(re.findall(r"^(Name|Version): (.+)$", text, re.MULTILINE)) for text in metadata]
    packaged = {f"pkg:pypi/{re.sub('[-_.]+', '-', one['Name']).lower()}@{one['Version']}" for one in fields}
    assert {part["purl"] for part in bill["components"]} == packaged | {f"pkg:pypi/talend-token@{VERSION}"}
    assert len(packaged) == (13 if name == "functions" else 0)
    # Each file belongs to one of them: distributions list theirs.
    records = [content[path].decode() for path in content if path.endswith(".dist-info/RECORD")]
    listed = {line.split(",")[0] for record in records for line in record.splitlines()}
    rest = {path for path in content if not OURS.match(path)} - listed
    assert {path for path in rest if "__pycache__" not in path and not path.startswith("botocore/data/")} == set()
    (digest,) = bill["metadata"]["component"]["hashes"]
    assert digest["content"] == hashlib.sha256((unpacked / f"{name}.zip").read_bytes()).hexdigest()


def test_every_part_has_a_license_and_what_it_needs(dist):
    bill = json.loads((dist / f"{NAME}-functions.cdx.json").read_text())
    assert [part["name"] for part in bill["components"] if not part.get("licenses")] == []
    needs = {one["ref"].split("@")[0]: one.get("dependsOn", []) for one in bill["dependencies"]}
    names = {ref.split("@")[0].removeprefix("pkg:pypi/") for ref in needs["pkg:pypi/requests"]}
    assert names == {"certifi", "charset-normalizer", "idna", "urllib3"}


def test_the_sdist_makes_the_released_wheel(dist, tmp_path):
    shutil.unpack_archive(dist / f"talend_token-{VERSION}.tar.gz", tmp_path, filter="data")
    hatchling = [ENVIRONMENTS / "sam" / "bin" / "hatchling", "build", "--target", "wheel", "--directory", tmp_path]
    epoch = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=dist, check=True, capture_output=True, text=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": epoch.stdout.strip()}
    subprocess.run(hatchling, cwd=tmp_path / f"talend_token-{VERSION}", check=True, env=environment)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.read_bytes() == (dist / wheel.name).read_bytes()


# --- what is no release ---


@pytest.fixture
def small(tmp_path):
    """Return what is read to find out whether a checkout is a release."""
    for path in ("infra/tools/release.py", "pyproject.toml", "CHANGELOG.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


@pytest.mark.parametrize(
    ("tag", "change", "said"),
    [
        ("latest", {}, "the tag of this commit is missing"),
        ("v9.9.9", {}, "the tag of this commit is 9.9.9"),
        (f"v{VERSION}", {"pyproject.toml": ('version = "', 'version = "9.')}, f"pyproject.toml is 9.{VERSION}"),
        (f"v{VERSION}", {"CHANGELOG.md": ("## ", "## Unreleased\n\n## ")}, "CHANGELOG.md is Unreleased"),
    ],
)
def test_a_tree_that_does_not_agree_on_its_version_is_refused(small, tag, change, said):
    for path, (old, new) in change.items():
        (small / path).write_text((small / path).read_text().replace(old, new, 1))
    commit(small, tag)
    done = release(small)
    (line,) = done.stderr.splitlines()
    assert said in line
    assert done.returncode == 1
    assert not (small / "dist").exists()


def test_a_checkout_with_changes_is_refused(small):
    commit(small, f"v{VERSION}")
    (small / "CHANGELOG.md").write_text("changed")
    (line,) = release(small).stderr.splitlines()
    assert line == "no release: a release is built from a clean checkout: commit or remove CHANGELOG.md"
