"""A stack is deployed with other parameters, deployed again and deleted, without harm to a live token."""

import json
from itertools import count

import pytest

from demo.deployment import DeploymentError, deploy, resources
from local_aws.waiting import eventually

NAMES = count(1)


@pytest.fixture
def second(deployment, template):
    """A stack with its own prefix and key."""
    name = f"second-{next(NAMES)}"
    parameters = {
        "TalendApiUrl": deployment.talend.url,
        "SecretPrefix": f"team/{name}",
        "KmsKeyArn": deployment.aws.client("kms").create_key()["KeyMetadata"]["Arn"],
        "AlarmEmail": "ops@example.com",
    }
    stack = deploy(deployment.aws, template, parameters, name)
    credentials = {"SecretId": stack.outputs["CredentialsSecretArn"], "SecretString": deployment.account.credentials}
    deployment.secrets.put_secret_value(**credentials)
    return stack, parameters


@pytest.fixture(scope="module")
def company(deployment):
    """What a company's account adds: a network, and a boundary with all that the functions need."""
    ec2, iam = deployment.aws.client("ec2"), deployment.aws.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="talend", Description="out")["GroupId"]
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    return {"SubnetIds": subnet, "SecurityGroupIds": group, "PermissionsBoundaryArn": boundary}


def boundaries_and_networks(aws, name):
    """The boundary of each role of a stack, and the network of each function."""
    iam, functions = aws.client("iam"), aws.client("lambda")
    found = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources(aws, name)}
    roles = [iam.get_role(RoleName=found[f"{part}Role"])["Role"] for part in ("Rotate", "Renew", "Scheduler")]
    configurations = [
        functions.get_function_configuration(FunctionName=found[f"{part}Function"]) for part in ("Rotate", "Renew")
    ]
    return (
        {role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "") for role in roles},
        {
            (",".join(network.get("SubnetIds", [])), ",".join(network.get("SecurityGroupIds", [])))
            for network in (configuration.get("VpcConfig", {}) for configuration in configurations)
        },
    )


def test_network_and_boundary_need_both_parameters_and_come_and_go(deployment, template, second, company):
    stack, parameters = second
    assert boundaries_and_networks(deployment.aws, stack.name) == ({""}, {("", "")})
    with pytest.raises(DeploymentError, match="Set both SubnetIds and SecurityGroupIds"):
        deploy(deployment.aws, template, parameters | {"SubnetIds": company["SubnetIds"]}, stack.name)
    deploy(deployment.aws, template, parameters | company, stack.name)
    network = (company["SubnetIds"], company["SecurityGroupIds"])
    assert boundaries_and_networks(deployment.aws, stack.name) == ({company["PermissionsBoundaryArn"]}, {network})
    # A parameter that is left out keeps its value.
    deploy(deployment.aws, template, parameters | dict.fromkeys(company, ""), stack.name)
    assert boundaries_and_networks(deployment.aws, stack.name) == ({""}, {("", "")})


def test_redeploying_keeps_the_token_and_deleting_keeps_the_secrets(deployment, template, second):
    stack, parameters = second
    secret = {"SecretId": f"{parameters['SecretPrefix']}/default/token"}

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
    deploy(deployment.aws, template, parameters | {"ScheduleExpression": "rate(1 day)"}, stack.name)
    assert version() == before
    assert rotate() == "rotated"

    published = version()
    deployment.run("sam", "delete", "--stack-name", stack.name, "--no-prompts")
    assert version() == published
    assert deployment.secrets.get_secret_value(SecretId=stack.outputs["CredentialsSecretArn"])["SecretString"]
