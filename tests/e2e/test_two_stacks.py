"""Two stacks in one AWS account and Region, which share neither values nor alarms, secrets nor events."""

import json

import pytest

from demo.deployment import deploy, switch_schedule
from e2e.alarms import alarm_states
from local_aws.waiting import eventually

SECOND = "staging"


@pytest.fixture(scope="module")
def speed():
    """A minute is a second."""
    return 60


@pytest.fixture(scope="module")
def second(deployment, template):
    """A second stack with a token of its own, whose prefix begins as the first one's does."""
    parameters = {"TalendApiUrl": deployment.talend.url, "SecretPrefix": "talend-token/staging"}
    stack = deploy(deployment.aws, template, parameters, SECOND)
    credentials = deployment.account.credentials
    deployment.secrets.put_secret_value(SecretId=stack.outputs["CredentialsSecretArn"], SecretString=credentials)
    eventually(lambda: token_alarm(deployment, SECOND) == "OK", 40)
    return stack


def token_alarm(deployment, stack_name):
    return alarm_states(deployment, stack_name)["TokenAlarm"]


@pytest.mark.parametrize(("dead", "alive"), [("talend-token", SECOND), (SECOND, "talend-token")])
@pytest.mark.usefixtures("second")
def test_a_dead_stack_is_not_hidden_by_a_healthy_one(deployment, dead, alive):
    eventually(lambda: [token_alarm(deployment, name) for name in (dead, alive)] == ["OK", "OK"], 40)
    for schedule in ("Schedule", "Watchdog"):
        switch_schedule(deployment.aws, schedule, "DISABLED", dead)
    try:
        eventually(lambda: token_alarm(deployment, dead) == "ALARM", 40)
        assert token_alarm(deployment, alive) == "OK"
    finally:
        for schedule in ("Schedule", "Watchdog"):
            switch_schedule(deployment.aws, schedule, "ENABLED", dead)


def test_a_stack_ignores_the_credentials_of_another(deployment, second):
    """The wildcard of the first one's rule crosses slashes, so that it hears of the second one's."""
    since = len(deployment.logs())
    arn = second.outputs["CredentialsSecretArn"]
    deployment.secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(pair(deployment)))

    def answers():
        return [line for line in deployment.logs()[since:] if line["trigger"] == "manual"]

    (line,) = eventually(answers)
    assert (line["message"], line.get("account"), line["level"]) == ("ignored", None, "INFO")


def pair(deployment):
    return {"id": deployment.account.client_id, "secret": deployment.account.client_secret}
