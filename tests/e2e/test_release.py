"""A release: built twice the same, deployed as users get it, over the previous release and while consumers call."""

import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

import previous_release
from demo.deployment import ROOT, deploy, deploy_consumer, resources
from local_aws import ENVIRONMENTS
from local_aws.waiting import eventually

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NAME = f"talend-token-{VERSION}"
NOT_SOURCES = (".git", ".environments", ".aws-sam", "dist", "__pycache__", ".*_cache", ".hypothesis", ".coverage")
WHEN = "2026-01-02T03:04:05Z"


def git(folder, *arguments):
    who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x@example.com", "GIT_AUTHOR_DATE": WHEN}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items()}
    subprocess.run(["git", "-c", "core.hooksPath=/dev/null", *arguments], cwd=folder, check=True, env=os.environ | who)


def checkout(folder):
    """A checkout of this tree, tagged as a release."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*NOT_SOURCES))
    return commit(folder, f"v{VERSION}")


def commit(folder, tag):
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Release")
    git(folder, "tag", tag)
    return folder


def release(folder):
    """Run what `make release` runs."""
    sam = ENVIRONMENTS / "sam" / "bin"
    environment = os.environ | {"PATH": f"{sam}:{os.environ['PATH']}", "PYTHON": str(sam / "python")}
    command = [ENVIRONMENTS / "release" / "bin" / "python", "infra/tools/release.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def dists(tmp_path_factory):
    """The artifacts of one tag, built in two folders."""
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
    """What a user has after unpacking the release."""
    folder = tmp_path_factory.mktemp("unpacked")
    shutil.unpack_archive(dist / f"{NAME}.zip", folder)
    return folder / NAME


def files(zip_file):
    with zipfile.ZipFile(zip_file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# --- what is in it ---


def test_two_builds_in_two_folders_are_the_same_bytes(dists):
    one, another = ({path.name: path.read_bytes() for path in dist.iterdir()} for dist in dists)
    assert one == another
    assert one.keys() == {
        f"{NAME}.zip",
        f"{NAME}-functions.cdx.json",
        f"{NAME}-client-layer.zip",
        f"{NAME}-client-layer.cdx.json",
        f"talend_token-{VERSION}-py3-none-any.whl",
        f"talend_token-{VERSION}.tar.gz",
        "SHA256SUMS",
    }


def test_the_checksums_cover_every_artifact(dist):
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in dist.iterdir()}
    del found["SHA256SUMS"]
    assert dict(reversed(line.split("  ")) for line in lines) == found


@pytest.mark.parametrize(
    ("name", "built"),
    [("functions", "RotateFunction"), ("functions", "RenewFunction"), ("client-layer", "ClientLayer")],
)
def test_a_zip_holds_what_sam_builds_elsewhere(unpacked, template, name, built):
    folder = template.parent / built
    there = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files(unpacked / f"{name}.zip") == there


def test_the_layer_is_released_alone_too(dist, unpacked):
    assert (dist / f"{NAME}-client-layer.zip").read_bytes() == (unpacked / "client-layer.zip").read_bytes()


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


def test_the_wheels_metadata_says_what_an_index_shows(dist):
    (wheel,) = dist.glob("*.whl")
    (text,) = [content for path, content in files(wheel).items() if path.endswith("/METADATA")]
    fields = email.message_from_bytes(text)
    assert (fields["Name"], fields["Version"]) == ("talend-token", VERSION)
    assert (fields["Author"], fields["License-Expression"]) == ("The talend-token authors", "MIT")
    assert fields["License-File"] == "LICENSE"
    pythons = {line.rpartition(" :: ")[2] for line in fields.get_all("Classifier") if ":: Python :: 3." in line}
    assert pythons == {"3.10", "3.11", "3.12", "3.13", "3.14"}
    assert fields["Description-Content-Type"] == "text/markdown"
    assert fields["Summary"]
    assert fields["Keywords"]


# --- what is no release ---


@pytest.fixture
def small(tmp_path):
    """What is read to find out whether a checkout is a release."""
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


# --- an update, while consumers call ---


@pytest.fixture(scope="module")
def speed():
    """Real time: nothing but the tests replaces a token."""
    return 1


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """What is deployed first: the previous release."""
    return previous_release.unpack_packaged(tmp_path_factory.mktemp("previous"))


@pytest.fixture(scope="module")
def consumer(deployment):
    """The name of a deployed function with the previous release's client."""
    built = ROOT / ".aws-sam" / "consumer" / "template.yaml"
    stack = deploy_consumer(deployment.aws, built, deployment.stack, deployment.talend.url)
    return stack.outputs["ConsumerFunctionName"]


class Calls(threading.Thread):
    """Makes one call after the other and keeps how each went."""

    def __init__(self, call):
        super().__init__(daemon=True)
        self._call = call
        self._stopping = threading.Event()
        self.results = []

    def run(self):
        while not self._stopping.is_set():
            try:
                self.results.append(self._call())
            except Exception as error:  # noqa: BLE001 (the test shows it)
                self.results.append(error)

    def went_on(self):
        made = len(self.results)
        eventually(lambda: len(self.results) > made + 2, 30)

    def __enter__(self):
        self.start()
        self.went_on()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self.join()


def age_the_token(deployment):
    """Publish the token again as one that is ten minutes old, which renew replaces."""
    document = deployment.document()
    text = json.dumps(document | {"issued_at": document["issued_at"] - 600})
    return deployment.secrets.put_secret_value(SecretId=deployment["TokenSecretArn"], SecretString=text)["VersionId"]


def state(deployment):
    """What an update must leave as it is: the resources' physical ids, the outputs, the versions of both secrets."""
    stack = deployment.stack.name
    (described,) = deployment.aws.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    found = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    found |= {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources(deployment.aws, stack)}
    for secret in ("CredentialsSecretArn", "TokenSecretArn"):
        versions = deployment.secrets.list_secret_version_ids(SecretId=deployment[secret])["Versions"]
        found |= {version["VersionId"]: version["VersionStages"] for version in versions}
    # Each version of the layer is a resource of its own, and the ones before stay.
    return {name: value for name, value in found.items() if not name.startswith("ClientLayer")}


def test_an_update_fails_no_call_and_replaces_nothing(deployment, consumer, unpacked):
    seen, replaced = deployment.published()["VersionId"], age_the_token(deployment)
    before = state(deployment)

    def consume():
        return json.load(deployment.functions.invoke(FunctionName=consumer)["Payload"]).get("status")

    def renew():
        return deployment.invoke({"rejected_version_id": seen}, "RenewFunctionName").get("outcome")

    with Calls(consume) as consuming:
        with Calls(deployment.works) as reading, Calls(renew) as renewing:
            deploy(deployment.aws, unpacked / "template.yaml", {"TalendApiUrl": deployment.talend.url})
            after = state(deployment)
            assert [(name, after.get(name)) for name, value in before.items() if after.get(name) != value] == []
            for calls in (consuming, reading, renewing):
                calls.went_on()
        # A client of the previous release has the new functions replace its token.
        deployment.talend.tokens.revoke_all(deployment.account.client_id)
        consuming.went_on()
    assert deployment.published()["VersionId"] != replaced
    assert set(consuming.results) == {200}
    assert set(reading.results) == {True}
    assert set(renewing.results) == {"superseded"}
