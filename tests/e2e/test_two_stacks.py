"""Two stacks in one AWS account and Region share no values, alarms, secrets or events."""

import json
import time

import pytest

from demo.deployment import switch_schedule
from e2e.alarms import alarm_states
from local_aws.waiting import eventually

SECOND = "staging"


@pytest.fixture(scope="module")
def second(deployment, template):
    """Return a second stack with its own token. Its prefix begins with the first one's."""
    second = deployment.beside().deploy(template, {"SecretPrefix": "talend-token/staging"}, SECOND)
    second.get_first_token()
    yield second
    cloudformation = deployment.aws.client("cloudformation")
    cloudformation.delete_stack(StackName=SECOND)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=SECOND, WaiterConfig={"Delay": 0.1})


@pytest.mark.parametrize("order", [1, -1], ids=["first", "second"])
def test_a_dead_stack_is_not_hidden_by_a_healthy_one(deployment, second, order):
    dead, alive = [deployment, second][::order]

    def alarms():
        return [alarm_states(stack)["TokenAlarm"] for stack in (dead, alive)]

    eventually(lambda: alarms() == ["OK", "OK"])
    for schedule in ("Schedule", "Watchdog"):
        switch_schedule(deployment.aws, schedule, "DISABLED", dead.stack.name)
    try:
        eventually(lambda: alarms()[0] == "ALARM")
        assert alarms()[1] == "OK"
    finally:
        for schedule in ("Schedule", "Watchdog"):
            switch_schedule(deployment.aws, schedule, "ENABLED", dead.stack.name)


def test_a_stack_ignores_the_credentials_of_another(deployment, second):
    """The wildcard of the first one's rule crosses slashes, so it receives the second one's events."""
    since = time.time()
    second.put_credentials(json.dumps({"id": second.account.client_id, "secret": second.account.client_secret}))
    (line,) = eventually(lambda: [line for line in deployment.logs(since=since) if line["trigger"] == "manual"])
    assert (line["message"], line.get("account"), line["level"]) == ("ignored", None, "INFO")
