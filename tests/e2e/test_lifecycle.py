"""A stack gets other parameters, is deployed again and deleted, without harm to a live token."""

import json

import pytest
from botocore.exceptions import ClientError

from demo.deployment import deploy, resources
from e2e.company import company_parameters
from local_aws.waiting import eventually

NAME, PREFIX = "second", "team/second"


@pytest.fixture
def company(deployment):
    return company_parameters(deployment.aws)


def update(aws, changed):
    """Change parameters of the stack, and nothing else."""
    cloudformation = aws.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    parameters = [
        {"ParameterKey": name, **({"ParameterValue": changed[name]} if name in changed else {"UsePreviousValue": True})}
        for name in (parameter["ParameterKey"] for parameter in stack["Parameters"])
    ]
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    cloudformation.update_stack(
        StackName=NAME, UsePreviousTemplate=True, Parameters=parameters, Capabilities=capabilities
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=NAME, WaiterConfig={"Delay": 0.1})


def boundaries_and_networks(aws):
    """The boundary of each role of the stack, and the network of each function."""
    found = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources(aws, NAME)}
    roles = [aws.client("iam").get_role(RoleName=found[f"{part}Role"]) for part in ("Rotate", "Renew", "Scheduler")]
    functions = [
        aws.client("lambda").get_function_configuration(FunctionName=found[f"{part}Function"])
        for part in ("Rotate", "Renew")
    ]
    networks = [function.get("VpcConfig", {}) for function in functions]
    return (
        {role["Role"].get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "") for role in roles},
        {tuple(",".join(network.get(part, [])) for part in ("SubnetIds", "SecurityGroupIds")) for network in networks},
    )


def test_redeploying_keeps_the_token_and_deleting_keeps_the_secrets(deployment, template, company):
    aws, secrets = deployment.aws, deployment.secrets
    parameters = {
        "TalendApiUrl": deployment.talend.url,
        "SecretPrefix": PREFIX,
        "KmsKeyArn": aws.client("kms").create_key()["KeyMetadata"]["Arn"],
        "AlarmEmail": "ops@example.com",
    }
    stack = deploy(aws, template, parameters, NAME)
    credentials, token = ({"SecretId": f"{PREFIX}/default/{part}"} for part in ("credentials", "token"))
    for secret, output in ((credentials, "CredentialsSecretArn"), (token, "TokenSecretArn")):
        described = secrets.describe_secret(**secret)
        assert (described["KmsKeyId"], described["ARN"]) == (parameters["KmsKeyArn"], stack.outputs[output])
    secrets.put_secret_value(**credentials, SecretString=deployment.account.credentials)

    def rotate():
        answer = deployment.functions.invoke(FunctionName=stack.outputs["RotateFunctionName"], Payload="{}")
        return json.load(answer["Payload"])["outcome"] == "rotated"

    def version():
        return secrets.get_secret_value(**token)["VersionId"]

    # New credentials start a rotation, beside which this one may find the lock taken.
    eventually(rotate)
    published = version()
    assert boundaries_and_networks(aws) == ({""}, {("", "")})
    for alone in ("SubnetIds", "SecurityGroupIds"):
        with pytest.raises(ClientError, match="Set both SubnetIds and SecurityGroupIds"):
            update(aws, {alone: company[alone]})
    update(aws, company)
    network = (company["SubnetIds"], company["SecurityGroupIds"])
    assert boundaries_and_networks(aws) == ({company["PermissionsBoundaryArn"]}, {network})
    update(aws, dict.fromkeys(company, ""))
    assert boundaries_and_networks(aws) == ({""}, {("", "")})
    deploy(aws, template, parameters | {"ScheduleExpression": "rate(1 day)"}, NAME)
    assert version() == published
    assert rotate()

    published = version()
    deployment.run("sam", "delete", "--stack-name", NAME, "--no-prompts")
    assert version() == published
    assert secrets.get_secret_value(**credentials)["SecretString"]
