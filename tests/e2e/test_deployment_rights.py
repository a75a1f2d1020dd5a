"""Deploying with exactly the documented rights: every option, tags, a service role, an update and a deletion."""

import json
import re

import pytest
from botocore.exceptions import WaiterError

from demo.deployment import ROOT, STACK_NAME, DeploymentError, deploy, resources, sam
from demo.roles import Role
from e2e.company import company_parameters
from e2e.conftest import Deployment
from e2e.logs import check_logs
from local_aws import LocalAWS
from local_aws.deployment_calls import schema
from local_aws.inline_function import create_role
from local_aws.waiting import eventually
from talend_simulator import Account, TalendSimulator

STATEMENTS = json.loads((ROOT / "infra" / "deployment-policy.json").read_text())["Statement"]
SIDS = [statement["Sid"] for statement in STATEMENTS]
# What the role that deploys needs beside a service role, as docs/companies.md says.
OPERATOR = ("Stacks", "Artifacts", "PassRoles")
SERVICE, SERVICE_ROLE = "cloudformation.amazonaws.com", "cloudformation-talend-token"
# How to ask for the tags of a resource, by its type: service, method, and the parameter that names the resource.
TAGS = {
    "AWS::CloudFormation::Stack": ("cloudformation", "describe_stacks", "StackName"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "list_tags_for_resource", "ResourceARN"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch", "list_tags_for_resource", "ResourceARN"),
    "AWS::DynamoDB::Table": ("dynamodb", "list_tags_of_resource", "ResourceArn"),
    "AWS::Events::Rule": ("events", "list_tags_for_resource", "ResourceARN"),
    "AWS::IAM::Role": ("iam", "list_role_tags", "RoleName"),
    "AWS::Lambda::Function": ("lambda", "list_tags", "Resource"),
    "AWS::Logs::LogGroup": ("logs", "list_tags_for_resource", "resourceArn"),
    "AWS::SNS::Topic": ("sns", "list_tags_for_resource", "ResourceArn"),
    "AWS::SQS::Queue": ("sqs", "list_queue_tags", "QueueUrl"),
    "AWS::SecretsManager::Secret": ("secretsmanager", "describe_secret", "SecretId"),
}
# What an ARN has before the name, for methods that need one.
ARNS = {
    "AWS::CloudWatch::Alarm": "cloudwatch:{}:alarm:",
    "AWS::CloudWatch::Dashboard": "cloudwatch::123456789012:dashboard/",
    "AWS::DynamoDB::Table": "dynamodb:{}:table/",
    "AWS::Events::Rule": "events:{}:rule/",
    "AWS::Lambda::Function": "lambda:{}:function:",
    "AWS::Logs::LogGroup": "logs:{}:log-group:",
}


def operator(aws, name, *sids):
    """A role with some statements of the policy."""
    allowed = [statement for statement in STATEMENTS if statement["Sid"] in sids]
    return Role(aws, name, policy=json.dumps({"Version": "2012-10-17", "Statement": allowed}))


@pytest.fixture(scope="module")
def aws():
    with LocalAWS() as aws:
        yield aws


@pytest.fixture(scope="module")
def account():
    return Account()


@pytest.fixture(scope="module")
def talend(account):
    with TalendSimulator([account]) as talend:
        yield talend


@pytest.fixture(scope="module")
def every_option(aws, talend):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    options = {"TalendApiUrl": talend.url, "KmsKeyArn": key, "AlarmEmail": "ops@example.com"}
    return options | company_parameters(aws)


@pytest.fixture(scope="module")
def service_role(aws):
    return create_role(aws, SERVICE, STATEMENTS, SERVICE_ROLE)


@pytest.fixture(scope="module")
def deployed(aws, template, talend, account, every_option, service_role):
    """The first deployment in the account: it creates the bucket for artifacts, too."""
    environment = operator(aws, "operator", *OPERATOR).environment()
    options = ("--role-arn", service_role, "--tags", "cost-center=4711")
    stack = deploy(aws, template, every_option, STACK_NAME, *options, environment=environment)
    return Deployment(aws, talend, account, stack), environment


@pytest.fixture(scope="module")
def packaged(aws, template, deployed, tmp_path_factory):  # noqa: ARG001 (it comes after the bucket)
    """The template, with the addresses of the artifacts."""
    path = tmp_path_factory.mktemp("packaged") / "template.yaml"
    options = ("--resolve-s3", "--s3-prefix", "packaged", "--output-template-file", str(path))
    sam(aws.subprocess_environment(), "package", "--template-file", str(template), *options)
    return path.read_text()


def create(client, template, name, parameters, **options):
    """Create a stack, and return the rights that were missing."""
    client.create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        **options,
    )
    try:
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 0.1})
    except WaiterError:
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        reasons = " ".join(event.get("ResourceStatusReason", "") for event in events)
        return set(re.findall(r"is not authorized to perform: (\S+) on resource", reasons))
    return set()


def tags_of(aws, resource):
    """Return the tags of a resource as its service shows them."""
    kind, name = resource["ResourceType"], resource["PhysicalResourceId"]
    service, method, parameter = TAGS[kind]
    if kind in ARNS:
        name = f"arn:aws:{ARNS[kind].format(f'{aws.region}:{aws.account_id}')}{name}"
    answer = getattr(aws.client(service), method)(**{parameter: name})
    tags = {member.lower(): value for member, value in answer.get("Stacks", [answer])[0].items()}["tags"]
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


def check_tags(aws, value):
    untagged = {one["LogicalResourceId"]: one for one in resources(aws, STACK_NAME)}
    assert len(untagged) > 25
    for name, resource in untagged.items():
        if resource["ResourceType"] in TAGS:
            assert tags_of(aws, resource).get("cost-center") == value, name
        else:
            assert not schema(resource["ResourceType"])["tagging"]["taggable"], name


def test_the_documented_rights_deploy_update_and_delete(aws, template, deployed, every_option):
    deployment, environment = deployed
    deployment.put_credentials()
    eventually(deployment.has_token)
    assert deployment.works()
    check_tags(aws, "4711")

    other_key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    changed = dict.fromkeys(every_option, "") | {
        "TalendApiUrl": deployment.talend.url,
        "KmsKeyArn": other_key,
        "LogRetentionDays": "7",
        "ScheduleExpression": "rate(20 minutes)",
    }
    # CloudFormation remembers the service role.
    deploy(aws, template, changed, STACK_NAME, "--tags", "cost-center=4712", environment=environment)
    check_tags(aws, "4712")
    assert deployment.secrets.describe_secret(SecretId=deployment["TokenSecretArn"])["KmsKeyId"] == other_key

    check_logs(aws.client("logs"), deployment.changes)
    sam(environment, "delete", "--stack-name", STACK_NAME, "--no-prompts")
    nested = (f"{STACK_NAME}-DefaultAccount", f"{STACK_NAME}-Monitoring")
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert not [alarm for alarm in alarms if alarm["AlarmName"].startswith(nested)]


def test_without_options_and_service_role_the_same_rights_suffice(aws, packaged, talend):
    client = operator(aws, "alone", *SIDS).client("cloudformation")
    parameters = {"TalendApiUrl": talend.url, "SecretPrefix": "talend-token-alone"}
    assert create(client, packaged, "talend-token-alone", parameters) == set()


@pytest.mark.parametrize("sid", SIDS)
def test_without_any_statement_creating_the_stack_fails(aws, packaged, every_option, sid):
    others = [statement for statement in STATEMENTS if statement["Sid"] != sid]
    role = create_role(aws, SERVICE, others, f"{SERVICE_ROLE}-{sid}")
    name = f"talend-token-{sid.lower()}"
    missing = create(aws.client("cloudformation"), packaged, name, every_option | {"SecretPrefix": name}, RoleARN=role)
    (taken,) = [statement for statement in STATEMENTS if statement["Sid"] == sid]
    assert missing
    assert missing <= set(taken["Action"])


def test_the_documented_denial_keeps_roles_inside_the_boundary(aws, packaged, every_option):
    page = (ROOT / "docs" / "companies.md").read_text()
    (denial,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    role = create_role(aws, SERVICE, [*STATEMENTS, json.loads(denial)], f"{SERVICE_ROLE}-bounded")
    client, parameters = aws.client("cloudformation"), every_option | {"SecretPrefix": "talend-token-bounded"}
    assert create(client, packaged, "talend-token-bounded", parameters, RoleARN=role) == set()
    unbounded = parameters | {"SecretPrefix": "talend-token-unbounded", "PermissionsBoundaryArn": ""}
    missing = create(client, packaged, "talend-token-unbounded", unbounded, RoleARN=role)
    assert missing
    assert missing <= set(json.loads(denial)["Action"])


@pytest.mark.parametrize("sid", OPERATOR)
@pytest.mark.usefixtures("deployed")
def test_without_any_statement_the_sam_cli_fails(aws, template, every_option, service_role, sid):
    others = [one for one in OPERATOR if one != sid]
    environment = operator(aws, f"without-{sid}", *others).environment()
    (taken,) = [statement for statement in STATEMENTS if statement["Sid"] == sid]
    parameters, options = every_option | {"SecretPrefix": "talend-token-other"}, ("--role-arn", service_role)
    with pytest.raises(DeploymentError, match="|".join(f"perform: {action} " for action in taken["Action"])):
        deploy(aws, template, parameters, "talend-token-other", *options, environment=environment)
