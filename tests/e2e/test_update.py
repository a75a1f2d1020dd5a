"""An update: this release is deployed as documented over the previous one, while consumers call."""

import json
import os
import shutil
import tempfile
import threading
from contextlib import contextmanager

import pytest

from demo.deployment import BUILT_CONSUMER, deploy_consumer, resources
from e2e.breakage import age_the_token, revoke_tokens
from local_aws import ENVIRONMENTS
from local_aws.waiting import eventually
from releases import NAME, documented, run, unpack_previous_package

# A busy machine would take the time of these calls from the deployment.
PAUSE_SECONDS = 0.05


@pytest.fixture(scope="module")
def template(tmp_path_factory):
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
    eventually(lambda: len(results) > made + 2, 30)


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
