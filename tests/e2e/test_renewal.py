"""Consumers that get a 401: a thousand that ask at once, those that send an event, and the deployed examples."""

import json
import os
import re
import signal
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.consumer import API_PATH
from demo.deployment import BUILT_CONSUMER, ROOT, deploy, deploy_consumer
from e2e.breakage import publish_an_old_token, revoke_tokens
from local_aws.waiting import eventually
from talend_simulator import Stall

CONSUMERS = 1000
# Each has its own execution environment, client and token.
DEPLOYED = 6


@pytest.fixture
def rejected(deployment):
    """Return the version of a published token that is ten minutes old and that Talend has revoked."""
    version = publish_an_old_token(deployment)
    revoke_tokens(deployment)
    return version


def test_a_thousand_consumers_cost_one_token_call_and_one_version(deployment, rejected):
    """A scheduled and a forced rotation run at the same time."""
    calls, before = len(deployment.talend.token_calls()), deployment.versions()
    # The token endpoint holds the first consumer back until both, and one more consumer, have returned.
    deployment.talend.faults.add(Stall(), times=1)
    with ThreadPoolExecutor(64) as pool:
        answers = [pool.submit(deployment.reject, rejected)]
        eventually(lambda: deployment.talend.stalled)
        meanwhile = [deployment.invoke(other)["outcome"] for other in ({"trigger": "schedule"}, {})]
        answers += [pool.submit(deployment.reject, rejected) for _ in range(CONSUMERS - 1)]
        eventually(lambda: any(answer.done() for answer in answers))
        deployment.talend.release()
        outcomes = Counter(answer.result()["outcome"] for answer in answers)
    assert meanwhile == ["in_progress", "in_progress"]
    assert len(deployment.talend.token_calls()) - calls == 1
    assert len(deployment.versions() - before) == 1
    assert outcomes["rotated"] == 1
    assert outcomes["superseded"] > 0
    assert outcomes["in_progress"] > 0
    assert outcomes["rotated"] + outcomes["superseded"] + outcomes["in_progress"] == CONSUMERS
    assert deployment.works()


def test_a_killed_winner_blocks_nobody_for_longer_than_its_own_time(deployment, rejected):
    configuration = {"FunctionName": deployment["RenewFunctionName"]}
    deployment.functions.update_function_configuration(**configuration, Timeout=14)
    deployment.talend.faults.add(Stall(), times=1)
    try:
        with ThreadPoolExecutor(1) as pool:
            winner = pool.submit(deployment.reject, rejected)
            eventually(lambda: deployment.talend.stalled)
            (worker,) = [one for one in deployment.aws.workers() if one["busy"] and "Renew" in one["function"]]
            os.kill(worker["pid"], signal.SIGKILL)
            assert winner.result(30)["errorType"] == "Runtime.ExitError"
        assert deployment.reject(rejected)["outcome"] == "in_progress"
        healed = eventually(lambda: (answer := deployment.reject(rejected))["outcome"] == "rotated" and answer, 30)
    finally:
        deployment.talend.faults.clear()
        deployment.functions.update_function_configuration(**configuration, Timeout=30)
    assert healed["version_id"] == deployment.published()["VersionId"]
    assert deployment.works()


@pytest.fixture(scope="module")
def report(deployment):
    """Deploy the stack for consumers in other AWS accounts as its template says, and return what reports a 401."""
    text = (ROOT / "infra" / "other-aws-accounts.yaml").read_text()
    command = re.search(r"^#   (aws cloudformation deploy .*\n(?:#     .*\n)*)", text, re.MULTILINE)[1]
    command = command.replace("#     ", " ").replace("\\\n", "").replace("TokenSecretArn=...", "TokenSecretArn={}")
    deployment.run(*command.format(deployment["TokenSecretArn"]).split())

    def report(detail):
        entry = {"Source": "my.consumer", "DetailType": "Talend Token Rejected", "Detail": json.dumps(detail)}
        assert deployment.aws.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    return report


@pytest.mark.parametrize("account", [{}, {"account": "default"}])
def test_an_event_renews_the_token_of_its_account_alone(deployment, report, rejected, account):
    """An event of another account is left to the rule of that account's stack."""
    report({"account": "sales", "rejected_version_id": str(uuid.uuid4())})
    report(account | {"rejected_version_id": rejected})
    eventually(lambda: deployment.published()["VersionId"] != rejected)
    assert deployment.works()
    assert {line["account"] for line in deployment.logs("renew")} == {"default"}


@pytest.fixture
def no_lock_table(deployment):
    tables, name = deployment.aws.client("dynamodb"), deployment.resource("LockTable")
    table = tables.describe_table(TableName=name)["Table"]
    tables.delete_table(TableName=name)
    yield
    tables.create_table(
        TableName=name,
        KeySchema=table["KeySchema"],
        AttributeDefinitions=table["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.usefixtures("no_lock_table")
def test_without_the_lock_table_rotation_goes_on_and_renewals_fail(deployment, rejected):
    calls = len(deployment.talend.token_calls())
    error = deployment.reject(rejected)
    assert error["errorType"] == "LockUnavailable"
    assert "for account 'default'" in error["errorMessage"]
    assert len(deployment.talend.token_calls()) == calls
    for event in ({}, {"reason": "once more"}):
        assert deployment.invoke(event)["outcome"] == "rotated"
    assert deployment.works()
    assert eventually(lambda: [line for line in deployment.logs() if "without the lock" in str(line.get("warnings"))])


# --- the deployed examples ---


def call(deployment, consumer):
    """Return the answer of a deployed consumer."""
    answer = deployment.functions.invoke(FunctionName=consumer.outputs["ConsumerFunctionName"])
    return json.load(answer["Payload"])


def herd(deployment, consumer, meanwhile):
    """Call every consumer once, with all their requests at the API at once, and return the answers."""
    settings = deployment.talend.settings
    settings.api_seconds = 600
    with ThreadPoolExecutor(DEPLOYED) as pool:
        try:
            answers = [pool.submit(call, deployment, consumer) for _ in range(DEPLOYED)]
            eventually(lambda: deployment.talend.stalled == DEPLOYED)
            meanwhile()
        finally:
            settings.api_seconds = 0
            deployment.talend.release()
        return [answer.result() for answer in answers]


def api_calls(deployment, after):
    return [entry.status for entry in deployment.talend.journal[after:] if entry.path == API_PATH]


def test_consumers_with_one_401_cost_one_token_call(deployment):
    consumer = deploy_consumer(deployment.aws, BUILT_CONSUMER, deployment.stack, deployment.talend.url)
    published = publish_an_old_token(deployment)
    # Cold starts: from here on each of them holds the published token.
    started = herd(deployment, consumer, lambda: None)
    token_calls, asked = len(deployment.talend.token_calls()), len(deployment.talend.journal)
    answers = herd(deployment, consumer, lambda: revoke_tokens(deployment))
    workers = [one for one in deployment.aws.workers() if one["function"] == consumer.outputs["ConsumerFunctionName"]]
    assert len(workers) == DEPLOYED
    assert started == answers == [{"status": 200, "tasks": 0}] * DEPLOYED
    assert sorted(api_calls(deployment, asked)) == [200] * DEPLOYED + [401] * DEPLOYED
    assert len(deployment.talend.token_calls()) - token_calls == 1
    assert deployment.published()["VersionId"] != published


def test_a_consumer_in_node_heals_itself_after_a_revocation(deployment):
    parameters = {name: deployment[name] for name in ("ConsumerPolicyArn", "TokenSecretArn", "RenewFunctionName")}
    consumer = deploy(deployment.aws, ROOT / "infra" / "consumer-node.yaml", parameters, "talend-consumer-node")
    published = publish_an_old_token(deployment)
    assert call(deployment, consumer) == {"status": 200, "tasks": 0}
    revoke_tokens(deployment)
    token_calls, asked = len(deployment.talend.token_calls()), len(deployment.talend.journal)
    assert [call(deployment, consumer)["status"] for _ in range(3)] == [200, 200, 200]
    assert api_calls(deployment, asked) == [401, 200, 200, 200]
    assert len(deployment.talend.token_calls()) - token_calls == 1
    assert deployment.published()["VersionId"] != published
