"""The schedule, alarms, events and logs of a deployed system that breaks while it runs.

Every alarm is made to fire and to end. The token's is in `test_outage.py`, and the version budget's in
`test_accounts.py` because it uses up an account's day. The saved query and the dashboard are tested with the templates,
because the local AWS does not read the members of a JSON log line and draws nothing.
"""

import json
import time
import uuid
from collections import Counter

import pytest

from demo.deployment import switch_schedule, without_schedules
from e2e.alarms import Alarm, alarm_states
from e2e.breakage import denied, token_endpoint_down
from local_aws.waiting import eventually

# A minute is a second.
SPEED = 60
QUIET_MINUTES = 10
SECOND = "staging"
LOG_GROUPS = ("/aws/lambda/talend-token-rotate", "/aws/lambda/talend-token-renew")


@pytest.fixture(scope="module", autouse=True)
def every_alarm_ends(deployment):
    """Wait for all of them together, because some look at 20 minutes."""
    yield
    eventually(lambda: set(alarm_states(deployment).values()) == {"OK"})


# --- the published token --------------------------------------------------------------------------


def test_the_schedule_alone_keeps_a_valid_token_published(deployment):
    def published_by_schedule():
        assert deployment.works()
        return [line for line in deployment.logs() if (line["trigger"], line["message"]) == ("schedule", "rotated")]

    with without_schedules(deployment.aws, "Watchdog"):
        # In the test before, the schedule may have missed a tick, which only the watchdog makes up for.
        deployment.invoke({})
        before = len(published_by_schedule())
        eventually(lambda: len(published_by_schedule()) > before)
        assert deployment.works()


def test_a_deleted_token_secret_alarms_until_it_is_restored(deployment):
    alarm = Alarm(deployment, "TokenAlarm")
    deployment.invoke({})
    secret = {"SecretId": deployment["TokenSecretArn"]}
    deployment.secrets.delete_secret(**secret)
    try:
        assert "InvalidRequestException" in deployment.invoke({})["errorMessage"]
        # The metric is missing now, which the alarm treats like a low one.
        alarm.fires()
    finally:
        deployment.secrets.restore_secret(**secret)
    assert deployment.works()


# --- the other alarms -------------------------------------------------------------------------------


def test_a_tick_that_cannot_be_delivered_alarms_and_is_kept(deployment):
    alarm = Alarm(deployment, "DeadLettersAlarm")
    with denied(deployment.aws, deployment.resource("SchedulerRole"), "lambda:InvokeFunction"):
        alarm.fires()
    eventually(lambda: {"trigger": "schedule", "account": "default"} in deployment.dead_letters())


def test_renewals_that_keep_failing_alarm_and_a_lone_one_does_not(deployment):
    alarm = Alarm(deployment, "RenewalFailingAlarm")
    rejected = deployment.published()["VersionId"]

    def fail():
        assert "AccessDeniedException" in deployment.reject(rejected)["errorMessage"]

    with denied(deployment.aws, deployment.resource("RenewRole"), "secretsmanager:GetSecretValue"):
        fail()
        before = deployment.published()["VersionId"]
        # The next scheduled rotation comes after every period that has counted the failure.
        eventually(lambda: deployment.published()["VersionId"] != before)
        assert alarm.state == "OK"
        alarm.fires(meanwhile=fail)


def test_a_storm_of_renewals_alarms_until_it_is_over(deployment):
    alarm = Alarm(deployment, "RenewalsStormingAlarm")
    # A consumer that never reads the new token: each call costs one read.
    rejected, outcomes = str(uuid.uuid4()), set()
    alarm.fires(meanwhile=lambda: outcomes.update(deployment.reject(rejected)["outcome"] for _ in range(15)))
    assert outcomes == {"superseded"}


# --- credentials -----------------------------------------------------------------------------------


def issued_to(deployment):
    """Return the service account that the published token was issued to."""
    token = deployment.talend.tokens.live(deployment.document()["access_token"])
    return token and token.client_id


def test_credentials_alarm_fires_on_fallback_and_clears_on_valid_pair(deployment):
    deployment.put_credentials()
    alarm = Alarm(deployment, "CredentialsRefusedAlarm")
    before = deployment.published()["VersionId"]
    try:
        deployment.put_credentials("nobody:with-this-pair")
        alarm.fires()
        eventually(lambda: deployment.published()["VersionId"] != before)
        assert deployment.works()
        assert issued_to(deployment) == deployment.account.client_id
        warned = [line for line in deployment.logs() if line["level"] == "WARNING" and line["message"] == "rotated"]
        assert "the current credentials are unusable" in warned[-1]["warnings"][0]
        assert alarm.state == "ALARM"
    finally:
        deployment.put_credentials()
    alarm.ends()


# --- logs --------------------------------------------------------------------


def test_an_invocation_writes_one_line_of_its_own(deployment):
    deployment.invoke({"dry_run": True})
    deployment.reject(str(uuid.uuid4()))
    with token_endpoint_down(deployment):
        deployment.invoke({})
    lines = [json.loads(line) for group in LOG_GROUPS for line in deployment.log_lines(group)]
    finished = {line["record"]["requestId"] for line in lines if line.get("type") == "platform.report"}
    own = Counter(line["function_request_id"] for line in lines if "function_request_id" in line)
    assert {request: own[request] for request in finished} == dict.fromkeys(finished, 1)
    # The platform's lines, the metrics, and the stack trace of an error that Lambda logs.
    others = [line for line in lines if not {"function_request_id", "type", "_aws", "stackTrace"} & line.keys()]
    assert others == []


# --- a second stack, which shares nothing with the first one ---------------------------------------


@pytest.fixture(scope="module")
def second(deployment, template):
    """Return a second stack with its own token. Its prefix begins with the first one's."""
    second = deployment.beside().deploy(template, {"SecretPrefix": "talend-token/staging"}, SECOND)
    waits_quietly(second)
    second.get_first_token()
    yield second
    cloudformation = deployment.aws.client("cloudformation")
    cloudformation.delete_stack(StackName=SECOND)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=SECOND, WaiterConfig={"Delay": 0.1})


def waits_quietly(stack):
    """Wait for some minutes and for the alarm that tells of a stack without credentials."""
    eventually(lambda: len(stack.logs()) >= QUIET_MINUTES)
    eventually(lambda: alarm_states(stack)["TokenAlarm"] == "ALARM")
    assert Counter(alarm_states(stack).values()) == {"ALARM": 1, "OK": 5}
    assert {line["trigger"] for line in stack.logs()} <= {"watchdog", "schedule"}
    # On a slow machine, a tick may find the one before it in progress.
    assert {line["message"] for line in stack.logs()} <= {"waiting_for_credentials", "in_progress"}
    assert {line["level"] for line in stack.logs()} == {"INFO"}
    assert not stack.has_token()


def test_a_stack_without_credentials_waits_quietly_and_then_begins(second):
    # New credentials start a rotation by themselves. Here a tick comes each second, so it may be faster.
    started = eventually(lambda: [line for line in second.logs() if line.get("reason") == "credentials changed"])
    assert {line["trigger"] for line in started} == {"manual"}
    eventually(lambda: [line for line in second.logs() if line["message"] == "rotated"])
    eventually(lambda: set(alarm_states(second).values()) == {"OK"})
    assert second.dead_letters() == []


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
