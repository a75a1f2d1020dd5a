"""The deployed system, used as a person would use it, with IAM enforced."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from demo.roles import Role
from local_aws.waiting import eventually
from talend_simulator import Answer


@pytest.fixture(scope="module")
def disabled():
    """Without the watchdog, beside which one would not see what the schedule does."""
    return ["Watchdog"]


def rotated(deployment):
    return deployment.invoke({}).get("outcome") == "rotated"


def test_the_schedule_alone_keeps_a_valid_token_published(deployment):
    def published_by_schedule():
        # Of the other tests' bad credentials the schedule may have seen some, too.
        return [line for line in deployment.logs() if (line["trigger"], line["message"]) == ("schedule", "rotated")]

    eventually(lambda: len(published_by_schedule()) >= 3, 60)
    assert deployment.works()


def test_the_aws_cli_forces_a_rotation_and_reads_the_token(deployment, tmp_path):
    answer = tmp_path / "answer.json"
    command = ["--function-name", deployment["RotateFunctionName"], "--payload", "file://events/rotate-forced.json"]
    deployment.run("aws", "lambda", "invoke", *command, str(answer))
    outcome = json.loads(answer.read_text())
    assert outcome["outcome"] == "rotated"
    read = deployment.run("aws", "secretsmanager", "get-secret-value", "--secret-id", deployment["TokenSecretArn"])
    assert json.loads(json.loads(read)["SecretString"])["expires_at"] >= outcome["expires_at"]
    assert deployment.works()


def test_sam_remote_invoke_forces_a_rotation(deployment):
    event = ["--event-file", "events/rotate-forced-with-reason.json"]
    said = deployment.run("sam", "remote", "invoke", "RotateFunction", "--stack-name", "talend-token", *event)
    assert json.loads(said[said.index("{") :])["outcome"] == "rotated"
    assert eventually(
        lambda: [line for line in deployment.logs() if line.get("reason") == "permissions changed at Talend"]
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no-colon-in-here", "has no colon"),
        ("not:the-pair", "answered 401"),
        ('{"id": "x"}', "no member 'secret'"),
    ],
)
def test_malformed_credentials_fail_by_name_and_change_nothing(deployment, text, problem):
    """The pair before them is as strange: a good one would serve in their place."""

    def failed():
        # A change of the credentials makes a rotation of its own, beside which this one is in progress.
        answer = deployment.invoke({})
        return answer if "errorMessage" in answer else None

    deployment.put_credentials()
    eventually(lambda: rotated(deployment))
    try:
        for _ in range(2):
            deployment.put_credentials(text)
        eventually(failed)
        before = deployment.published()["VersionId"]
        error = eventually(failed)
        assert problem in error["errorMessage"]
        assert "secret 'talend-token/default/credentials'" in error["errorMessage"]
        assert "not-the-pair" not in json.dumps(error)
        assert deployment.published()["VersionId"] == before
    finally:
        deployment.put_credentials()
    eventually(lambda: rotated(deployment))


def test_a_failed_run_raises_once_and_is_no_dead_letter(deployment):
    """The watchdog's next tick repeats it, and the log holds what a letter would."""
    event = {"reason": f"to fail {uuid.uuid4()}"}
    deployment.talend.faults.add(Answer(403), times=None)
    try:
        deployment.functions.invoke(
            FunctionName=deployment["RotateFunctionName"], InvocationType="Event", Payload=json.dumps(event)
        )

        def failures():
            lines = [line for line in deployment.logs() if line.get("reason") == event["reason"]]
            return [(line["message"], line["error"]) for line in lines]

        # A run that was started after it has ended as well: nothing repeats the first one meanwhile.
        eventually(failures)
        deployment.invoke({})
        assert failures() == [("failed", "CredentialsRefused")]
    finally:
        deployment.talend.faults.clear()
    assert [letter for letter in dead_letters(deployment) if letter.get("requestPayload") == event] == []


def test_a_tick_that_cannot_be_handed_over_is_kept(deployment):
    iam, role = deployment.aws.client("iam"), deployment.resource("SchedulerRole")
    denied = {"Effect": "Deny", "Action": "lambda:InvokeFunction", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    try:
        tick = {"trigger": "schedule", "account": "default"}
        eventually(lambda: tick in dead_letters(deployment), 40)
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")


def dead_letters(deployment):
    received = deployment.aws.client("sqs").receive_message(
        QueueUrl=deployment["DeadLetterQueueUrl"], MaxNumberOfMessages=10
    )
    return [json.loads(message["Body"]) for message in received.get("Messages", [])]


def test_rotate_is_denied_the_secrets_of_others(deployment):
    deployment.secrets.create_secret(Name="elsewhere/default/token", SecretString="x")
    role = deployment.functions.get_function(FunctionName=deployment["RotateFunctionName"])["Configuration"]["Role"]
    # The role trusts Lambda alone, so that the test lends itself what it holds.
    iam = deployment.aws.client("iam")
    (attached,) = iam.list_attached_role_policies(RoleName=role.rsplit("/", 1)[1])["AttachedPolicies"]
    twin = Role(deployment.aws, "twin-of-rotate", policy_arn=attached["PolicyArn"])
    secrets = twin.client("secretsmanager")
    assert secrets.get_secret_value(SecretId="talend-token/default/credentials")["SecretString"]
    for operation, arguments in [
        ("get_secret_value", {"SecretId": "elsewhere/default/token"}),
        ("put_secret_value", {"SecretId": "talend-token/default/credentials", "SecretString": "x"}),
        ("delete_secret", {"SecretId": "talend-token/default/token"}),
    ]:
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(secrets, operation)(**arguments)


def test_no_log_line_shows_a_credential_or_a_token(deployment):
    deployment.invoke({})
    events = deployment.aws.client("logs").filter_log_events(logGroupName="/aws/lambda/talend-token-rotate")["events"]
    everything = json.dumps(events)
    assert "rotated" in everything
    assert deployment.account.client_secret not in everything
    signature = json.loads(deployment.published()["SecretString"])["access_token"].split(".")[2]
    assert signature not in everything
