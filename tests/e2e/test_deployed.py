"""The deployed system, used as an operator would use it, with IAM enforced."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from demo.roles import Role
from local_aws.waiting import eventually
from talend_simulator import Answer


@pytest.fixture(scope="module")
def disabled():
    """The watchdog would hide what the schedule does."""
    return ["Watchdog"]


def rotated(deployment):
    return deployment.invoke({}).get("outcome") == "rotated"


def test_the_schedule_alone_keeps_a_valid_token_published(deployment):
    def published_by_schedule():
        return [line for line in deployment.logs() if (line["trigger"], line["message"]) == ("schedule", "rotated")]

    eventually(lambda: len(published_by_schedule()) >= 2)
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
        ('{"id": "x"}', "no string member 'secret'"),
    ],
)
def test_malformed_credentials_fail_by_name_and_change_nothing(deployment, text, problem):
    """The credentials before them are malformed too, or the run would fall back on them."""

    def failed():
        # New credentials start a rotation, beside which this one finds the lock taken.
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


def test_a_failed_run_raises_once_and_is_not_a_dead_letter(deployment):
    """The watchdog's next tick repeats it, and its error is in the log."""
    event = {"reason": f"to fail {uuid.uuid4()}"}
    deployment.talend.faults.add(Answer(403), times=None)
    try:
        deployment.functions.invoke(
            FunctionName=deployment["RotateFunctionName"], InvocationType="Event", Payload=json.dumps(event)
        )

        def failures():
            lines = [line for line in deployment.logs() if line.get("reason") == event["reason"]]
            return [(line["message"], line["error"]) for line in lines]

        # A second run ends after the first, and nothing has repeated the first until then.
        eventually(failures)
        deployment.invoke({})
        assert failures() == [("failed", "CredentialsRefused")]
    finally:
        deployment.talend.faults.clear()
    assert [letter for letter in deployment.dead_letters() if letter.get("requestPayload") == event] == []


def test_rotate_is_denied_the_secrets_of_others(deployment):
    deployment.secrets.create_secret(Name="elsewhere/default/token", SecretString="x")
    role = deployment.functions.get_function(FunctionName=deployment["RotateFunctionName"])["Configuration"]["Role"]
    # The role trusts Lambda alone, so the test makes a role with the same policy.
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
    everything = "".join(deployment.log_lines("/aws/lambda/talend-token-rotate"))
    assert "rotated" in everything
    assert deployment.account.client_secret not in everything
    signature = deployment.document()["access_token"].split(".")[2]
    assert signature not in everything
