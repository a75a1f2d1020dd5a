"""Deploying with exactly the documented rights: every option, tags, a service role, an update and a deletion.

The token stays what it is meanwhile. `tests/template/test_policies.py` says which resources get the tags.
"""

import json
import re

import pytest
from botocore.exceptions import ClientError, WaiterError

from demo.deployment import ROOT, STACK_NAME, sam
from demo.roles import Role
from e2e.breakage import force_rotation
from e2e.conftest import local_deployment
from local_aws.roles import create_role

POLICY = json.loads((ROOT / "infra" / "deployment-policy.json").read_text())
STATEMENTS = {statement["Sid"]: statement for statement in POLICY["Statement"]}
# The statements that the role that deploys needs beside a service role, as docs/companies.md says.
OPERATOR = ("Stacks", "Artifacts", "PassRoles")
NETWORK = ("SubnetIds", "SecurityGroupIds")
# Options that a deployed stack shows.
SEEN = ("KmsKeyArn", "PermissionsBoundaryArn", *NETWORK)
SERVICE, SERVICE_ROLE = "cloudformation.amazonaws.com", "cloudformation-talend-token"


@pytest.fixture(scope="module")
def deployment():
    with local_deployment() as deployment:
        yield deployment


@pytest.fixture(scope="module")
def aws(deployment):
    return deployment.aws


@pytest.fixture(scope="module")
def every_option(aws):
    """Create a key, a network, and a boundary with all that the functions need; return the parameters for them."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    boundary = aws.client("iam").create_policy(PolicyName="boundary", PolicyDocument=document)
    return {
        "KmsKeyArn": new_key(aws),
        "AlarmEmail": "ops@example.com",
        "SubnetIds": ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"],
        "SecurityGroupIds": ec2.create_security_group(VpcId=vpc, GroupName="x", Description="x")["GroupId"],
        "PermissionsBoundaryArn": boundary["Policy"]["Arn"],
    }


def new_key(aws):
    return aws.client("kms").create_key()["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def service_role(aws):
    return create_role(aws, SERVICE, [*STATEMENTS.values()], SERVICE_ROLE)


@pytest.fixture(scope="module")
def environment(deployment, template, every_option, service_role):
    """The operator's variables, after the first deployment in the account, which creates the bucket for artifacts."""
    environment = operator(deployment.aws, "operator", *OPERATOR).environment()
    options = ("--role-arn", service_role, "--tags", "cost-center=4711")
    deployment.deploy(template, every_option, STACK_NAME, *options, environment=environment)
    return environment


@pytest.fixture(scope="module")
def packaged(aws, template, environment, tmp_path_factory):  # noqa: ARG001 (it comes after the bucket)
    path = tmp_path_factory.mktemp("packaged") / "template.yaml"
    options = ("--resolve-s3", "--s3-prefix", "packaged", "--output-template-file", str(path))
    sam(aws.subprocess_environment(), "package", "--template-file", str(template), *options)
    return path.read_text()


def operator(aws, name, *sids):
    """Return a role with some statements of the policy."""
    return Role(aws, name, policy=json.dumps(POLICY | {"Statement": [STATEMENTS[sid] for sid in sids]}))


def create(client, template, name, parameters, **options):
    """Create a stack, and return the rights that were missing."""
    client.create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in (parameters | {"SecretPrefix": name}).items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        **options,
    )
    try:
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    except WaiterError:
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
        return set(re.findall(r"is not authorized to perform: (\S+) on resource", reasons)) or {reasons}
    return set()


def settings(deployment):
    """Return the different keys of the secrets, boundaries of the roles and networks of the functions."""
    secrets = [
        deployment.secrets.describe_secret(SecretId=deployment[f"{of}SecretArn"]) for of in ("Credentials", "Token")
    ]
    names = [deployment.resource(f"{of}Role") for of in ("Rotate", "Renew", "Scheduler")]
    boundaries = [
        deployment.aws.client("iam").get_role(RoleName=name)["Role"].get("PermissionsBoundary", {}) for name in names
    ]
    functions = [deployment[f"{of}FunctionName"] for of in ("Rotate", "Renew")]
    networks = [
        deployment.functions.get_function_configuration(FunctionName=name).get("VpcConfig", {}) for name in functions
    ]
    return {
        "KmsKeyArn": {secret["KmsKeyId"] for secret in secrets},
        "PermissionsBoundaryArn": {boundary.get("PermissionsBoundaryArn", "") for boundary in boundaries},
        **{part: {",".join(network.get(part, [])) for network in networks} for part in NETWORK},
    }


def test_the_documented_rights_deploy_update_and_delete(aws, template, deployment, environment, every_option):
    deployment.get_first_token()
    assert deployment.works()
    published = deployment.published()["VersionId"]
    assert settings(deployment) == {name: {every_option[name]} for name in SEEN}
    updated = dict.fromkeys(every_option, "") | {"KmsKeyArn": new_key(aws), "LogRetentionDays": "7"}
    # CloudFormation remembers the service role.
    deployment.deploy(template, updated, STACK_NAME, "--tags", "cost-center=4712", environment=environment)
    assert settings(deployment) == {name: {updated[name]} for name in SEEN}
    assert deployment.published()["VersionId"] == published

    published = force_rotation(deployment)["version_id"]
    # The SAM CLI reports the parts of nested stacks that it may not read as kept.
    assert "Kept" not in sam(environment, "delete", "--stack-name", STACK_NAME, "--no-prompts")
    nested = (f"{STACK_NAME}-DefaultAccount", f"{STACK_NAME}-Monitoring")
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert not [alarm for alarm in alarms if alarm["AlarmName"].startswith(nested)]
    assert deployment.published()["VersionId"] == published
    assert deployment.secrets.get_secret_value(SecretId=deployment["CredentialsSecretArn"])["SecretString"]


def test_without_options_and_service_role_the_same_rights_suffice(aws, packaged, every_option):
    client = operator(aws, "alone", *STATEMENTS).client("cloudformation")
    assert create(client, packaged, "talend-token-alone", {}) == set()
    for alone in NETWORK:
        with pytest.raises(ClientError, match="Set both SubnetIds and SecurityGroupIds"):
            create(client, packaged, "talend-token-half", {alone: every_option[alone]})


@pytest.mark.parametrize("sid", STATEMENTS)
def test_without_any_statement_creating_the_stack_fails(aws, packaged, every_option, sid):
    others = [statement for other, statement in STATEMENTS.items() if other != sid]
    role = create_role(aws, SERVICE, others, f"{SERVICE_ROLE}-{sid}")
    client = aws.client("cloudformation")
    missing = create(client, packaged, f"talend-token-{sid.lower()}", every_option, RoleARN=role)
    assert missing
    assert missing <= set(STATEMENTS[sid]["Action"])


def test_the_documented_denial_keeps_roles_inside_the_boundary(aws, packaged, every_option):
    page = (ROOT / "docs" / "companies.md").read_text()
    (denial,) = map(json.loads, re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    role = create_role(aws, SERVICE, [*STATEMENTS.values(), denial], f"{SERVICE_ROLE}-bounded")
    client = aws.client("cloudformation")
    assert create(client, packaged, "talend-token-bounded", every_option, RoleARN=role) == set()
    missing = create(client, packaged, "talend-token-unbounded", {}, RoleARN=role)
    assert missing
    assert missing <= set(denial["Action"])
