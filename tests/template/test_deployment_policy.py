"""The rights that deploying takes, held against AWS's own lists of what CloudFormation calls for a type of resource.

A type's schema names every call that any property of the type may take. Calls for properties that no template here has
are left out below.
"""

import copy
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCHEMAS = next((ROOT / ".environments/sam/lib").glob("python*/site-packages/cfnlint/data/schemas"))
POLICY = json.loads((ROOT / "infra" / "deployment-policy.json").read_text())
# What the SAM CLI and CloudFormation itself do before any resource.
DEPLOYING = {"Stacks", "Artifacts"}
# Types of stacks that are added for other AWS accounts, or that nest others.
ADDED = {"AWS::SecretsManager::ResourcePolicy", "AWS::Events::EventBusPolicy", "AWS::CloudFormation::Stack"}
# Parts of the calls of properties that no template has, by type; "" is for all types.
UNUSED = {
    "": ("kms:", "s3:", "s3files:", "elasticfilesystem:", "firehose:", "kinesis:", "iam:CreateServiceLinkedRole"),
    "AWS::DynamoDB::Table": (
        "dynamodb:AssociateTableReplica", "dynamodb:BatchWriteItem", "dynamodb:CreateTableReplica",
        "dynamodb:DeleteItem", "dynamodb:DeleteResourcePolicy", "dynamodb:DescribeImport",
        "dynamodb:DisableKinesis", "dynamodb:EnableKinesis", "dynamodb:GetItem", "dynamodb:ImportTable",
        "dynamodb:PutItem", "dynamodb:PutResourcePolicy", "dynamodb:Query", "dynamodb:Scan",
        "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateContributorInsights", "dynamodb:UpdateItem",
        "dynamodb:UpdateKinesis", "logs:",
    ),
    "AWS::IAM::ManagedPolicy": (
        "iam:AttachGroupPolicy", "iam:AttachUserPolicy", "iam:DetachGroupPolicy", "iam:DetachUserPolicy",
    ),
    "AWS::Lambda::Function": (
        "lambda:AssociateRuntimeAlias", "lambda:DeleteFunctionCodeSigningConfig", "lambda:DeleteFunctionConcurrency",
        "lambda:GetCodeSigningConfig", "lambda:GetFunctionScalingConfig", "lambda:PassCapacityProvider",
        "lambda:PublishVersion", "lambda:PutFunction", "lambda:PutRuntimeManagementConfig",
    ),
    "AWS::Logs::LogGroup": (
        "logs:AssociateKmsKey", "logs:CreateLogDelivery", "logs:DeleteDataProtectionPolicy", "logs:DeleteIndexPolicy",
        "logs:DeleteResourcePolicy", "logs:DisassociateKmsKey", "logs:PutBearerTokenAuthentication",
        "logs:PutDataProtectionPolicy", "logs:PutIndexPolicy", "logs:PutLogGroupDeletionProtection",
        "logs:PutResourcePolicy",
    ),
    "AWS::SNS::Topic": ("sns:PutDataProtectionPolicy",),
    "AWS::SecretsManager::Secret": (
        "secretsmanager:GetRandomPassword", "secretsmanager:GetSecretValue", "secretsmanager:RemoveRegions",
        "secretsmanager:ReplicateSecret",
    ),
}  # fmt: skip


def schema(kind):
    digest = json.loads((SCHEMAS / "providers" / "eu-west-1.json").read_text())[kind]
    return json.loads((SCHEMAS / "resources" / f"{digest}.json").read_text())


@pytest.fixture(scope="module")
def kinds(template, nested):
    """Every type of resource in the main stack and the stacks in it."""
    stacks = [template, *nested.values()]
    return {resource["Type"] for stack in stacks for resource in stack["Resources"].values()}


@pytest.fixture(scope="module")
def needed(kinds):
    """What CloudFormation calls for the resources, by type."""
    calls = {}
    for kind in kinds - ADDED:
        handlers = schema(kind)["handlers"]
        called = {call for name, found in handlers.items() if name != "list" for call in found["permissions"]}
        called |= set(schema(kind).get("tagging", {}).get("permissions", []))
        calls[kind] = {call for call in called if not call.startswith((*UNUSED[""], *UNUSED.get(kind, ())))}
    return calls


def missing(policy, needed):
    """What the policy does not allow, by type."""
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    return {kind: calls - allowed for kind, calls in needed.items() if calls - allowed}


def test_the_policy_allows_what_cloudformation_calls(needed):
    assert missing(POLICY, needed) == {}


def test_without_any_statement_a_resource_cannot_be_deployed(needed):
    for statement in POLICY["Statement"]:
        if statement["Sid"] not in DEPLOYING:
            less = copy.deepcopy(POLICY)
            less["Statement"].remove(statement)
            assert missing(less, needed), statement["Sid"]


def test_the_policy_allows_nothing_else(needed):
    called = set().union(*needed.values())
    for statement in POLICY["Statement"]:
        if statement["Sid"] not in DEPLOYING:
            assert set(statement["Action"]) - called == set(), statement["Sid"]


def test_what_has_a_name_is_allowed_by_its_name():
    for statement in POLICY["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Sid"] == "WithoutNames":
            assert statement["Resource"] == ["*"]
        else:
            assert all(
                "talend-token" in arn or "aws-sam" in arn or "Serverless" in arn for arn in statement["Resource"]
            )


def test_the_policy_fits_into_a_managed_policy():
    """IAM counts 6,144 characters, white space apart."""
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= 6144


def test_tags_reach_what_can_have_them(kinds):
    """CloudFormation hands a stack's tags on to each of its resources that can have some, as the type's schema says."""
    untagged = {kind for kind in kinds if not schema(kind).get("tagging", {}).get("taggable", False)}
    text = (ROOT / "docs" / "companies.md").read_text()
    (listed,) = [line for line in text.splitlines() if line.startswith("Without tags:")]
    assert {part.strip(" `.") for part in listed.removeprefix("Without tags:").split(",")} == {
        kind.removeprefix("AWS::") for kind in untagged
    }
