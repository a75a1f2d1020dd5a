"""A stack is deployed with other parameters, deployed again and deleted, without harm to a live token."""

import json

import pytest

from demo.deployment import deploy
from local_aws.waiting import eventually

NAME, PREFIX = "second", "team/talend"


@pytest.fixture(scope="module")
def second(deployment, template):
    """A stack with its own prefix and key."""
    parameters = {
        "TalendApiUrl": deployment.talend.url,
        "SecretPrefix": PREFIX,
        "KmsKeyArn": deployment.aws.client("kms").create_key()["KeyMetadata"]["Arn"],
        "AlarmEmail": "ops@example.com",
    }
    stack = deploy(deployment.aws, template, parameters, NAME)
    credentials = {"SecretId": stack.outputs["CredentialsSecretArn"], "SecretString": deployment.account.credentials}
    deployment.secrets.put_secret_value(**credentials)
    return stack, parameters


def test_redeploying_keeps_the_token_and_deleting_keeps_the_secrets(deployment, template, second):
    stack, parameters = second
    secret = {"SecretId": f"{PREFIX}/default/token"}

    def rotate():
        answer = deployment.functions.invoke(FunctionName=stack.outputs["RotateFunctionName"], Payload="{}")
        return json.load(answer["Payload"])["outcome"]

    def version():
        return deployment.secrets.get_secret_value(**secret)["VersionId"]

    # New credentials start a rotation, beside which this one may find the lock taken.
    eventually(lambda: rotate() == "rotated")
    token = deployment.secrets.describe_secret(**secret)
    assert (token["KmsKeyId"], token["ARN"]) == (parameters["KmsKeyArn"], stack.outputs["TokenSecretArn"])

    before = version()
    deploy(deployment.aws, template, parameters | {"ScheduleExpression": "rate(1 day)"}, NAME)
    assert version() == before
    assert rotate() == "rotated"

    published = version()
    deployment.run("sam", "delete", "--stack-name", NAME, "--no-prompts")
    assert version() == published
    assert deployment.secrets.get_secret_value(SecretId=stack.outputs["CredentialsSecretArn"])["SecretString"]
