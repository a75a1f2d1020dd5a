"""A stack gets other parameters, is deployed again and deleted, without harm to a live token."""

import pytest
from botocore.exceptions import ClientError

from demo.deployment import resources
from e2e.breakage import force_rotation
from e2e.company import company_parameters

NAME, PREFIX = "second", "team/second"


@pytest.fixture
def company(deployment):
    return company_parameters(deployment.aws)


def update(aws, changed):
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
    """Return the boundary of each role of the stack, and the network of each function."""
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
    aws, second = deployment.aws, deployment.beside()
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    parameters = {"SecretPrefix": PREFIX, "KmsKeyArn": key, "AlarmEmail": "ops@example.com"}
    second.deploy(template, parameters, NAME)
    for part in ("credentials", "token"):
        described = second.secrets.describe_secret(SecretId=f"{PREFIX}/default/{part}")
        assert (described["KmsKeyId"], described["ARN"]) == (key, second[f"{part.capitalize()}SecretArn"])
    second.get_first_token()
    published = second.published()["VersionId"]
    assert boundaries_and_networks(aws) == ({""}, {("", "")})
    for alone in ("SubnetIds", "SecurityGroupIds"):
        with pytest.raises(ClientError, match="Set both SubnetIds and SecurityGroupIds"):
            update(aws, {alone: company[alone]})
    update(aws, company)
    network = (company["SubnetIds"], company["SecurityGroupIds"])
    assert boundaries_and_networks(aws) == ({company["PermissionsBoundaryArn"]}, {network})
    update(aws, dict.fromkeys(company, ""))
    assert boundaries_and_networks(aws) == ({""}, {("", "")})
    second.deploy(template, parameters | {"ScheduleExpression": "rate(1 day)"}, NAME)
    assert second.published()["VersionId"] == published

    published = force_rotation(second)["version_id"]
    deployment.run("sam", "delete", "--stack-name", NAME, "--no-prompts")
    assert second.published()["VersionId"] == published
    assert second.secrets.get_secret_value(SecretId=second["CredentialsSecretArn"])["SecretString"]
