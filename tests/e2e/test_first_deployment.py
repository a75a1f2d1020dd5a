"""The first deployment: it is quiet until it has credentials, and a failed one leaves nothing in the way."""

import re
from collections import Counter

import pytest

from demo.deployment import DeploymentError, deploy
from e2e.alarms import alarm_states
from e2e.conftest import Deployment
from e2e.logs import check_logs
from local_aws import LocalAWS
from local_aws.waiting import eventually
from talend_simulator import Account, Settings, TalendSimulator

# A minute is a second.
SPEED = 60
QUIET_MINUTES = 10


@pytest.fixture(scope="module")
def deployed(template):
    """A new stack without credentials."""
    account = Account()
    with (
        LocalAWS(schedule_speed=SPEED) as aws,
        TalendSimulator([account], settings=Settings(speed=SPEED)) as talend,
    ):
        deployment = Deployment(aws, talend, account, deploy(aws, template, {"TalendApiUrl": talend.url}))
        yield deployment
        check_logs(aws.client("logs"), deployment.changes)


def test_a_stack_without_credentials_waits_quietly_and_then_begins(deployed):
    eventually(lambda: len(deployed.logs()) >= QUIET_MINUTES)
    eventually(lambda: alarm_states(deployed)["TokenAlarm"] == "ALARM")
    assert Counter(alarm_states(deployed).values()) == {"ALARM": 1, "OK": 5}
    assert {line["trigger"] for line in deployed.logs()} <= {"watchdog", "schedule"}
    # On a slow machine, a tick may find the one before it in progress.
    assert {line["message"] for line in deployed.logs()} <= {"waiting_for_credentials", "in_progress"}
    assert {line["level"] for line in deployed.logs()} == {"INFO"}
    assert deployed.dead_letters() == []
    assert not deployed.talend.token_calls()

    deployed.put_credentials()
    eventually(deployed.has_token)
    # New credentials start a rotation by themselves, so the first token does not wait for a tick.
    first, *_ = eventually(lambda: [line for line in deployed.logs() if line["message"] == "rotated"])
    assert (first["trigger"], first["reason"]) == ("manual", "credentials changed")
    eventually(lambda: set(alarm_states(deployed).values()) == {"OK"})
    assert deployed.dead_letters() == []


TAKEN = """Resources:
  Taken:
    Type: AWS::SecretsManager::Secret
    DependsOn: Monitoring
    Properties:
      Name: taken
"""


@pytest.fixture
def failing(template, tmp_path):
    """The template with one more resource, which fails after all others are created."""
    path = tmp_path / "template.yaml"
    text = re.sub(
        r"\b(CodeUri|ContentUri|TemplateURL): (\S+)",
        lambda found: f"{found[1]}: {(template.parent / found[2]).resolve()}",
        template.read_text(),
    )
    path.write_text(re.sub(r"^Resources:\n", TAKEN, text, flags=re.MULTILINE))
    return path


def test_a_first_deployment_that_fails_leaves_no_secret_in_the_way(template, failing):
    with LocalAWS() as aws:
        secrets = aws.client("secretsmanager")
        secrets.create_secret(Name="taken")
        with pytest.raises(DeploymentError, match="ROLLBACK_COMPLETE"):
            deploy(aws, failing, {})
        assert [found["Name"] for found in secrets.list_secrets()["SecretList"]] == ["taken"]
        # A stack whose creation failed has to be deleted first.
        aws.client("cloudformation").delete_stack(StackName="talend-token")
        stack = deploy(aws, template, {})
        assert secrets.describe_secret(SecretId="talend-token/default/token")["ARN"] == stack.outputs["TokenSecretArn"]
