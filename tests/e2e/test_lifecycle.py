"""A stack's life: deployed again, and deleted, without harm to a live token."""

import json

import pytest

from demo.deployment import deploy


@pytest.fixture(scope="module")
def speed():
    """Real time: nothing but the tests replaces a token."""
    return 1


def test_redeploying_keeps_the_token_and_deleting_keeps_the_secrets(deployment, template):
    deployment.invoke({})
    before = deployment.published()["VersionId"]
    deploy(
        deployment.aws,
        template,
        {"TalendApiUrl": deployment.talend.url, "ScheduleExpression": "rate(1 day)"},
    )
    assert deployment.published()["VersionId"] == before
    assert deployment.invoke({})["outcome"] == "rotated"

    published = deployment.published()
    deployment.run("sam", "delete", "--stack-name", "talend-token", "--no-prompts")
    assert deployment.published()["VersionId"] == published["VersionId"]
    assert deployment.secrets.get_secret_value(SecretId=deployment["CredentialsSecretArn"])["SecretString"]


def test_a_stack_takes_a_key_and_existing_credentials(deployment, template):
    secrets, key = deployment.secrets, deployment.aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    pair = {"id": deployment.account.client_id, "secret": deployment.account.client_secret}
    text = json.dumps(pair | {"api_url": deployment.talend.url})
    existing = secrets.create_secret(Name="mine/talend", SecretString=text)["ARN"]
    parameters = {"SecretPrefix": "team/talend", "KmsKeyArn": key, "ExistingCredentialsSecretArn": existing}
    parameters["AlarmEmail"] = "ops@example.com"
    second = deploy(deployment.aws, template, parameters, "second")
    assert second.outputs["CredentialsSecretArn"] == existing
    answer = deployment.functions.invoke(FunctionName=second.outputs["RotateFunctionName"], Payload="{}")
    assert json.load(answer["Payload"])["outcome"] == "rotated"
    token = secrets.describe_secret(SecretId="team/talend/default/token")
    assert (token["KmsKeyId"], token["ARN"]) == (key, second.outputs["TokenSecretArn"])
    assert "team/talend/default/credentials" not in {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}
