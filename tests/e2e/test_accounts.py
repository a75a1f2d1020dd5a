"""Two more accounts beside the default one, one of them on another Talend API, on the same two functions."""

import json
import re
import subprocess

import pytest
from botocore.exceptions import ClientError

from demo.deployment import ROOT, Stack
from demo.roles import Role
from e2e.conftest import Deployment
from local_aws.waiting import eventually
from talend_simulator import Settings, Stall, TalendSimulator

# A minute is a second.
SPEED = 60
# As it is documented, and run as it is for `sales`.
(COMMAND,) = re.findall(r"^make account NAME=sales$", (ROOT / "docs" / "deployment.md").read_text(), re.MULTILINE)


class MoreAccount(Deployment):
    """An account of infra/account.yaml, and the Talend API that knows it."""

    def __init__(self, deployment, talend, name):
        super().__init__(deployment.aws, talend, talend.add_account())
        self.name, command = name, COMMAND.replace("sales", name)
        environment, stack_name = self.aws.subprocess_environment(), f"talend-token-{name}"
        done = subprocess.run(command.split(), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        (stack,) = self.aws.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
        self.stack = Stack(stack_name, {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]})

    def put_credentials(self, text=None):
        pair = {"id": self.account.client_id, "secret": self.account.client_secret, "api_url": self.talend.url}
        super().put_credentials(text or json.dumps(pair))


@pytest.fixture(scope="module")
def accounts(deployment):
    """Return the accounts by name, each with good credentials and a token. `overseas` uses an API of its own."""
    with TalendSimulator(settings=Settings(speed=SPEED)) as elsewhere:
        accounts = {
            "sales": MoreAccount(deployment, deployment.talend, "sales"),
            "overseas": MoreAccount(deployment, elsewhere, "overseas"),
        }
        for account in accounts.values():
            account.get_first_token()
        yield accounts


def test_each_account_has_a_token_of_its_own_environment(deployment, accounts):
    for account in accounts.values():
        token = account.document()
        assert token["api_url"] == account.talend.url
        assert account.talend.tokens.live(token["access_token"]).client_id == account.account.client_id
    assert deployment.document()["api_url"] == deployment.talend.url


def test_the_schedules_of_an_account_rotate_that_account(deployment, accounts):
    def rotated_by_schedule():
        lines = [line for line in deployment.logs() if line["trigger"] == "schedule" and line["message"] == "rotated"]
        return {line["account"] for line in lines}

    eventually(lambda: rotated_by_schedule() >= {*accounts, "default"})


def test_a_broken_account_never_delays_another(deployment, accounts):
    """Its token endpoint takes the requests and answers none, so that each of its runs lasts as long as it may."""
    broken, healthy = accounts["overseas"], [accounts["sales"], deployment]
    before, failed = {account.published()["VersionId"] for account in healthy}, []
    broken.talend.faults.add(Stall(), times=None)
    try:
        eventually(lambda: broken.talend.stalled)
        left = broken.published()["VersionId"]

        def look():
            failed.extend(account.stack.name for account in healthy if not account.works())
            kept = before & {account.published()["VersionId"] for account in healthy}
            return not kept and not broken.works()

        eventually(look)
        assert broken.published()["VersionId"] == left
    finally:
        broken.talend.faults.clear()
        broken.talend.release()
    assert failed == []
    eventually(broken.works)


def alarms(deployment, metric):
    """Return the state of each account's alarm on a metric."""
    pages = deployment.aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
    found = [alarm for page in pages for alarm in page["MetricAlarms"] if alarm["MetricName"] == metric]
    dimensions = [{one["Name"]: one["Value"] for one in alarm["Dimensions"]} for alarm in found]
    assert {of["stack"] for of in dimensions} == {deployment.stack.name}
    return {of["account"]: alarm["StateValue"] for of, alarm in zip(dimensions, found, strict=True)}


def test_a_refused_pair_alarms_for_its_account_alone(deployment, accounts):
    refused, quiet = accounts["overseas"], dict.fromkeys([*accounts, "default"], "OK")
    refused.put_credentials(json.dumps({"id": "nobody", "secret": "x", "api_url": refused.talend.url}))
    try:
        eventually(lambda: alarms(deployment, "CredentialsRefused") == quiet | {refused.name: "ALARM"})
        assert refused.works()
    finally:
        refused.put_credentials()
    eventually(lambda: alarms(deployment, "CredentialsRefused") == quiet)


def test_a_nearly_used_version_budget_alarms_for_its_account_alone(deployment, accounts):
    spender, quiet = accounts["sales"], dict.fromkeys([*accounts, "default"], "OK")
    eventually(lambda: alarms(deployment, "VersionBudgetLeft") == quiet)
    links = {check["link"]: check for check in deployment.invoke({"account": spender.name, "dry_run": True})["checks"]}
    left = int(re.search(r"(\d+) are left for renewals", links["version budget"]["detail"])[1])
    for number in range(left - 1):
        spent = {"SecretString": f"spent {number}", "VersionStages": ["spent"]}
        deployment.secrets.put_secret_value(SecretId=spender["TokenSecretArn"], **spent)

    def renewed():
        rejected = {"account": spender.name, "rejected_version_id": spender.published()["VersionId"]}
        # A token that has just been published is not replaced.
        return deployment.invoke(rejected, "Renew")["outcome"] in ("rotated", "budget_exhausted")

    eventually(renewed)
    eventually(lambda: alarms(deployment, "VersionBudgetLeft") == quiet | {spender.name: "ALARM"})
    eventually(lambda: alarms(deployment, "VersionBudgetLeft") == quiet)


def test_a_consumer_of_one_account_reads_no_other_token(deployment, accounts):
    policy = accounts["sales"]["ConsumerPolicyArn"]
    secrets = Role(deployment.aws, "sales-consumer", policy_arn=policy).client("secretsmanager")
    assert secrets.get_secret_value(SecretId="talend-token/sales/token")["SecretString"]
    for secret in ("talend-token/overseas/token", "talend-token/default/token", "talend-token/sales/credentials"):
        with pytest.raises(ClientError, match="AccessDenied"):
            secrets.get_secret_value(SecretId=secret)
