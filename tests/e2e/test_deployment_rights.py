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

POLICY = json.loads((ROOT / "infra" / "deployment-policy.json").read_text())
STATEMENTS = {statement["Sid"]: statement for statement in POLICY["Statement"]}
# The statements that the role that deploys needs beside a service role, as docs/companies.md says.
OPERATOR = ("Stacks", "Artifacts", "PassRoles")
SERVICE, SERVICE_ROLE = "cloudformation.amazonaws.com", "cloudformation-talend-token"
# How to ask for the tags of a resource: service, method, parameter for its identifier, and what comes before its name.
TAGS = {
    "AWS::CloudFormation::Stack": ("cloudformation", "describe_stacks", "StackName", ""),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "list_tags_for_resource", "ResourceARN", "arn:aws:cloudwatch:{}:alarm:"),
    "AWS::CloudWatch::Dashboard": (
        *("cloudwatch", "list_tags_for_resource", "ResourceARN"),
        "arn:aws:cloudwatch::123456789012:dashboard/",
    ),
    "AWS::DynamoDB::Table": ("dynamodb", "list_tags_of_resource", "ResourceArn", "arn:aws:dynamodb:{}:table/"),
    "AWS::Events::Rule": ("events", "list_tags_for_resource", "ResourceARN", "arn:aws:events:{}:rule/"),
    "AWS::IAM::Role": ("iam", "list_role_tags", "RoleName", ""),
    "AWS::Lambda::Function": ("lambda", "list_tags", "Resource", "arn:aws:lambda:{}:function:"),
    "AWS::Logs::LogGroup": ("logs", "list_tags_for_resource", "resourceArn", "arn:aws:logs:{}:log-group:"),
    "AWS::SNS::Topic": ("sns", "list_tags_for_resource", "ResourceArn", ""),
    "AWS::SQS::Queue": ("sqs", "list_queue_tags", "QueueUrl", ""),
    "AWS::SecretsManager::Secret": ("secretsmanager", "describe_secret", "SecretId", ""),
}


@pytest.fixture(scope="module")
def aws():
    with LocalAWS() as aws:
        yield aws


@pytest.fixture(scope="module")
def every_option(aws):
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    return {"KmsKeyArn": key, "AlarmEmail": "ops@example.com"} | company_parameters(aws)


@pytest.fixture(scope="module")
def service_role(aws):
    return create_role(aws, SERVICE, [*STATEMENTS.values()], SERVICE_ROLE)


@pytest.fixture(scope="module")
def deployed(aws, template, every_option, service_role):
    """The first deployment in the account, which creates the bucket for artifacts, and the operator's variables."""
    account, environment = Account(), operator(aws, "operator", *OPERATOR).environment()
    with TalendSimulator([account]) as talend:
        parameters = every_option | {"TalendApiUrl": talend.url}
        options = ("--role-arn", service_role, "--tags", "cost-center=4711")
        stack = deploy(aws, template, parameters, STACK_NAME, *options, environment=environment)
        yield Deployment(aws, talend, account, stack), environment


@pytest.fixture(scope="module")
def packaged(aws, template, deployed, tmp_path_factory):  # noqa: ARG001 (it comes after the bucket)
    """The template, with the addresses of the artifacts."""
    path = tmp_path_factory.mktemp("packaged") / "template.yaml"
    options = ("--resolve-s3", "--s3-prefix", "packaged", "--output-template-file", str(path))
    sam(aws.subprocess_environment(), "package", "--template-file", str(template), *options)
    return path.read_text()


def operator(aws, name, *sids):
    """A role with some statements of the policy."""
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


def check_tags(aws, cost_center):
    """Check that every resource that can have tags has this one, as its service shows it."""
    for resource in resources(aws, STACK_NAME):
        kind = resource["ResourceType"]
        if kind not in TAGS:
            assert not schema(kind)["tagging"]["taggable"], kind
            continue
        service, method, parameter, before = TAGS[kind]
        identifier = before.format(f"{aws.region}:{aws.account_id}") + resource["PhysicalResourceId"]
        answer = getattr(aws.client(service), method)(**{parameter: identifier})
        shown = {member.lower(): value for member, value in answer.get("Stacks", [answer])[0].items()}["tags"]
        tags = shown if isinstance(shown, dict) else {tag["Key"]: tag["Value"] for tag in shown}
        assert tags.get("cost-center") == cost_center, resource["LogicalResourceId"]


def test_the_documented_rights_deploy_update_and_delete(aws, template, deployed, every_option):
    deployment, environment = deployed
    deployment.put_credentials()
    eventually(deployment.has_token)
    assert deployment.works()
    check_tags(aws, "4711")

    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    others = {"TalendApiUrl": deployment.talend.url, "KmsKeyArn": key, "LogRetentionDays": "7"}
    parameters = dict.fromkeys(every_option, "") | others
    # CloudFormation remembers the service role.
    deploy(aws, template, parameters, STACK_NAME, "--tags", "cost-center=4712", environment=environment)
    check_tags(aws, "4712")
    assert deployment.secrets.describe_secret(SecretId=deployment["TokenSecretArn"])["KmsKeyId"] == key

    check_logs(aws.client("logs"), deployment.changes)
    # The SAM CLI reports the parts of nested stacks that it may not read as kept.
    assert "Kept" not in sam(environment, "delete", "--stack-name", STACK_NAME, "--no-prompts")
    nested = (f"{STACK_NAME}-DefaultAccount", f"{STACK_NAME}-Monitoring")
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert not [alarm for alarm in alarms if alarm["AlarmName"].startswith(nested)]


def test_without_options_and_service_role_the_same_rights_suffice(aws, packaged):
    client = operator(aws, "alone", *STATEMENTS).client("cloudformation")
    assert create(client, packaged, "talend-token-alone", {}) == set()


@pytest.mark.parametrize("sid", STATEMENTS)
def test_without_any_statement_creating_the_stack_fails(aws, packaged, every_option, sid):
    others = [statement for other, statement in STATEMENTS.items() if other != sid]
    role = create_role(aws, SERVICE, others, f"{SERVICE_ROLE}-{sid}")
    client = aws.client("cloudformation")
    missing = create(client, packaged, f"talend-token-{sid.lower()}", every_option, RoleARN=role)
    assert missing
    assert missing <= set(STATEMENTS[sid]["Action"])


@pytest.mark.parametrize("sid", OPERATOR)
@pytest.mark.usefixtures("deployed")
def test_without_any_statement_the_sam_cli_fails(aws, template, service_role, sid):
    environment = operator(aws, f"without-{sid}", *{*OPERATOR} - {sid}).environment()
    parameters, options = {"SecretPrefix": "talend-token-other"}, ("--role-arn", service_role)
    with pytest.raises(DeploymentError, match="|".join(f"perform: {action} " for action in STATEMENTS[sid]["Action"])):
        deploy(aws, template, parameters, "talend-token-other", *options, environment=environment)


def test_the_documented_denial_keeps_roles_inside_the_boundary(aws, packaged, every_option):
    page = (ROOT / "docs" / "companies.md").read_text()
    (denial,) = map(json.loads, re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    role = create_role(aws, SERVICE, [*STATEMENTS.values(), denial], f"{SERVICE_ROLE}-bounded")
    client = aws.client("cloudformation")
    assert create(client, packaged, "talend-token-bounded", every_option, RoleARN=role) == set()
    missing = create(client, packaged, "talend-token-unbounded", {}, RoleARN=role)
    assert missing
    assert missing <= set(denial["Action"])
