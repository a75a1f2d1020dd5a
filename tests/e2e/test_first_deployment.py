"""The first deployment: a failed one leaves nothing in the way, and a good one is quiet until it has credentials."""

import re
from collections import Counter

import pytest

from demo.deployment import DeploymentError
from e2e.alarms import alarm_states
from e2e.conftest import local_deployment
from local_aws.waiting import eventually

# A minute is a second.
SPEED = 60
QUIET_MINUTES = 10
# One more resource, which fails after all others are created.
TAKEN = """Resources:
  Taken:
    Type: AWS::SecretsManager::Secret
    DependsOn: Monitoring
    Properties:
      Name: taken
"""


@pytest.fixture(scope="module")
def new():
    with local_deployment(SPEED) as new:
        yield new


@pytest.fixture(scope="module")
def left_behind(new, template, tmp_path_factory):
    """Return the names of the secrets that a failed deployment leaves, whose stack has to be deleted then."""
    path = tmp_path_factory.mktemp("failing") / "template.yaml"
    text = re.sub(
        r"\b(CodeUri|ContentUri|TemplateURL): (\S+)",
        lambda found: f"{found[1]}: {(template.parent / found[2]).resolve()}",
        template.read_text(),
    )
    path.write_text(re.sub(r"^Resources:\n", TAKEN, text, flags=re.MULTILINE))
    new.secrets.create_secret(Name="taken")
    with pytest.raises(DeploymentError, match="ROLLBACK_COMPLETE"):
        new.deploy(path)
    new.aws.client("cloudformation").delete_stack(StackName="talend-token")
    return [found["Name"] for found in new.secrets.list_secrets()["SecretList"]]


@pytest.fixture(scope="module")
def deployed(new, template, left_behind):  # noqa: ARG001 (it comes after the deployment that fails)
    return new.deploy(template)


def test_a_first_deployment_that_fails_leaves_no_secret_in_the_way(left_behind, deployed):
    assert left_behind == ["taken"]
    assert deployed.secrets.describe_secret(SecretId="talend-token/default/token")["ARN"] == deployed["TokenSecretArn"]


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
    assert not deployed.has_token()

    deployed.put_credentials()
    eventually(deployed.has_token)
    # New credentials start a rotation by themselves, so the first token does not wait for a tick.
    first, *_ = eventually(lambda: [line for line in deployed.logs() if line["message"] == "rotated"])
    assert (first["trigger"], first["reason"]) == ("manual", "credentials changed")
    eventually(lambda: set(alarm_states(deployed).values()) == {"OK"})
    assert deployed.dead_letters() == []
