"""A release: built twice the same, whole, described by what is in it, and deployed over the previous one."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from demo.deployment import BUILT_CONSUMER, deploy_consumer, resources
from e2e.breakage import age_the_token, revoke_tokens
from local_aws import ENVIRONMENTS
from local_aws.waiting import eventually
from releases import NAME, ROOT, VERSION, checkout, commit, documented, release, run, unpack_previous_package

# A busy machine would take the time of these calls from the deployment.
PAUSE_SECONDS = 0.05


@pytest.fixture(scope="module")
def dists(tmp_path_factory):
    """Return the artifacts of this tree as a release, built in two folders."""
    folders = [checkout(tmp_path_factory.mktemp("release") / name) for name in ("one", "another-folder")]
    with ThreadPoolExecutor() as pool:
        for done in pool.map(release, folders):
            assert done.returncode == 0, done.stderr
    return [folder / "dist" for folder in folders]


@pytest.fixture(scope="module")
def dist(dists):
    return dists[0]


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


# --- it updates the previous one while consumers call ---


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Have the release before this one deployed."""
    return unpack_previous_package(tmp_path_factory.mktemp("previous"))


@pytest.fixture(scope="module")
def consumer(deployment):
    """Return the name of a deployed function with the previous release's client."""
    stack = deploy_consumer(deployment.aws, BUILT_CONSUMER, deployment.stack, deployment.talend.url)
    return stack.outputs["ConsumerFunctionName"]


@contextmanager
def repeating(call):
    """Make one call after the other while the block runs, and yield the list of how each went."""
    results, stopping = [], threading.Event()

    def run():
        while not stopping.wait(PAUSE_SECONDS):
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001 (the test shows it)
                results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        go_on(results)
        yield results
    finally:
        stopping.set()
        thread.join()


def go_on(results):
    made = len(results)
    eventually(lambda: len(results) > made + 2)


def state(deployment):
    """Return all that an update must not change: the ids of resources, the outputs, the versions of both secrets."""
    stack = deployment.stack.name
    (described,) = deployment.aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    found = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    found |= {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources(deployment.aws, stack)}
    for secret in ("CredentialsSecretArn", "TokenSecretArn"):
        versions = deployment.secrets.list_secret_version_ids(SecretId=deployment[secret])["Versions"]
        found |= {version["VersionId"]: version["VersionStages"] for version in versions}
    # Each version of the layer is a resource of its own, and the ones before stay.
    return {name: value for name, value in found.items() if not name.startswith("ClientLayer")}


def deploy_as_documented(deployment, dist):
    """Deploy the release and one more account in a folder where nothing but the release is."""
    environment = deployment.aws.subprocess_environment()
    environment["PATH"] = f"{ENVIRONMENTS / 'sam' / 'bin'}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(dist / f"{NAME}.zip", folder)
        done = run(documented("Deploy"), folder, **environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_update_fails_no_call_and_replaces_nothing(deployment, consumer, dist):
    seen, replaced = deployment.published()["VersionId"], age_the_token(deployment)
    before = state(deployment)

    def consume():
        return json.load(deployment.functions.invoke(FunctionName=consumer)["Payload"]).get("status")

    def renew():
        return deployment.reject(seen).get("outcome")

    with repeating(consume) as consuming:
        with repeating(deployment.works) as reading, repeating(renew) as renewing:
            deploy_as_documented(deployment, dist)
            after = state(deployment)
            assert [(name, after.get(name)) for name, value in before.items() if after.get(name) != value] == []
            for results in (consuming, reading, renewing):
                go_on(results)
        # A client of the previous release has the new functions replace its token.
        revoke_tokens(deployment)
        go_on(consuming)
    assert deployment.published()["VersionId"] != replaced
    assert [set(results) for results in (consuming, reading, renewing)] == [{200}, {True}, {"superseded"}]
    assert deployment.secrets.describe_secret(SecretId="talend-token/sales/token")["Name"]


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
