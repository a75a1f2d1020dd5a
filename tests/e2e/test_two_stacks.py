"""Two stacks in one AWS account and Region share no values, alarms, secrets or events."""

import json
import time

import pytest

from demo.deployment import deploy, switch_schedule
from e2e.alarms import alarm_states
from e2e.logs import check_logs
from local_aws.waiting import eventually

SECOND = "staging"


@pytest.fixture(scope="module")
def second(deployment, template):
    """A second stack with its own token. Its prefix begins with the first one's."""
    parameters = {"TalendApiUrl": deployment.talend.url, "SecretPrefix": "talend-token/staging"}
    stack = deploy(deployment.aws, template, parameters, SECOND)
    credentials = deployment.account.credentials
    deployment.secrets.put_secret_value(SecretId=stack.outputs["CredentialsSecretArn"], SecretString=credentials)
    eventually(lambda: token_alarm(deployment, SECOND) == "OK")
    yield stack
    # A stack takes its logs with it, so they are checked first. The deployment checks those that are left then.
    check_logs(deployment.aws.client("logs"), deployment.changes)
    cloudformation = deployment.aws.client("cloudformation")
    cloudformation.delete_stack(StackName=SECOND)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=SECOND, WaiterConfig={"Delay": 0.1})


def token_alarm(deployment, stack_name):
    return alarm_states(deployment, stack_name)["TokenAlarm"]


@pytest.mark.parametrize(("dead", "alive"), [("talend-token", SECOND), (SECOND, "talend-token")])
@pytest.mark.usefixtures("second")
def test_a_dead_stack_is_not_hidden_by_a_healthy_one(deployment, dead, alive):
    eventually(lambda: [token_alarm(deployment, name) for name in (dead, alive)] == ["OK", "OK"])
    for schedule in ("Schedule", "Watchdog"):
        switch_schedule(deployment.aws, schedule, "DISABLED", dead)
    try:
        eventually(lambda: token_alarm(deployment, dead) == "ALARM")
        assert token_alarm(deployment, alive) == "OK"
    finally:
        for schedule in ("Schedule", "Watchdog"):
            switch_schedule(deployment.aws, schedule, "ENABLED", dead)


def test_a_stack_ignores_the_credentials_of_another(deployment, second):
    """The wildcard of the first one's rule crosses slashes, so it receives the second one's events."""
    since = time.time()
    pair = {"id": deployment.account.client_id, "secret": deployment.account.client_secret}
    deployment.secrets.put_secret_value(SecretId=second.outputs["CredentialsSecretArn"], SecretString=json.dumps(pair))
    (line,) = eventually(lambda: [line for line in deployment.logs(since=since) if line["trigger"] == "manual"])
    assert (line["message"], line.get("account"), line["level"]) == ("ignored", None, "INFO")
