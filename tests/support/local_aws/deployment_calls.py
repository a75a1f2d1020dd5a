"""The calls that CloudFormation makes for a resource, by the schemas of resource types that cfn-lint brings.

A schema names every call that any property of the type may take. Calls for properties that no template here has are
left out below.
"""

import functools
import json
from typing import Any

from local_aws import ENVIRONMENTS

# Parts of the calls of properties that no template has, by type; "" is for all types.
UNUSED: dict[str, tuple[str, ...]] = {
    "": ("kms:", "s3files:", "elasticfilesystem:", "firehose:", "kinesis:", "iam:CreateServiceLinkedRole"),
    "AWS::CloudFormation::Stack": (
        "cloudformation:GetStackPolicy", "cloudformation:SetStackPolicy", "cloudformation:UpdateTerminationProtection",
    ),
    "AWS::DynamoDB::Table": (
        "dynamodb:AssociateTableReplica", "dynamodb:BatchWriteItem", "dynamodb:CreateTableReplica",
        "dynamodb:DeleteItem", "dynamodb:DeleteResourcePolicy", "dynamodb:DescribeImport",
        "dynamodb:DisableKinesis", "dynamodb:EnableKinesis", "dynamodb:GetItem", "dynamodb:ImportTable",
        "dynamodb:PutItem", "dynamodb:PutResourcePolicy", "dynamodb:Query", "dynamodb:Scan",
        "dynamodb:UpdateContinuousBackups", "dynamodb:UpdateContributorInsights", "dynamodb:UpdateItem",
        "dynamodb:UpdateKinesis", "logs:", "s3:",
    ),
    "AWS::Events::Rule": ("iam:",),
    "AWS::IAM::ManagedPolicy": ("iam:Attach", "iam:Detach"),
    "AWS::Lambda::Function": (
        "lambda:AssociateRuntimeAlias", "lambda:DeleteFunctionCodeSigningConfig", "lambda:DeleteFunctionConcurrency",
        "lambda:GetCodeSigningConfig", "lambda:GetFunctionScalingConfig", "lambda:GetLayerVersion",
        "lambda:PassCapacityProvider", "lambda:PublishVersion", "lambda:PutFunction",
        "lambda:PutRuntimeManagementConfig",
    ),
    "AWS::Logs::LogGroup": (
        "logs:AssociateKmsKey", "logs:CreateLogDelivery", "logs:DeleteDataProtectionPolicy", "logs:DeleteIndexPolicy",
        "logs:DeleteResourcePolicy", "logs:DisassociateKmsKey", "logs:PutBearerTokenAuthentication",
        "logs:PutDataProtectionPolicy", "logs:PutIndexPolicy", "logs:PutLogGroupDeletionProtection",
        "logs:PutResourcePolicy", "s3:",
    ),
    "AWS::SNS::Subscription": ("iam:",),
    "AWS::SNS::Topic": ("iam:", "sns:PutDataProtectionPolicy"),
    "AWS::SecretsManager::Secret": (
        "secretsmanager:GetRandomPassword", "secretsmanager:GetSecretValue", "secretsmanager:RemoveRegions",
        "secretsmanager:ReplicateSecret",
    ),
}  # fmt: skip
# The bucket of the SAM CLI has few of the properties of its type, so the calls for them are listed instead.
USED = {
    "AWS::S3::Bucket": {
        "s3:CreateBucket", "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration", "s3:TagResource",
    },
}  # fmt: skip
# "You need kms:GenerateDataKey and kms:Decrypt permission to the key" (API, CreateSecret), and kms:Encrypt to change it
# (UpdateSecret). The schema does not say so.
KEY_OF_A_SECRET = {
    "create": {"kms:Decrypt", "kms:GenerateDataKey"},
    "update": {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"},
}


@functools.cache
def schema(kind: str) -> dict[str, Any]:
    """Return the schema of a resource type."""
    (schemas,) = ENVIRONMENTS.glob("sam/lib/python*/site-packages/cfnlint/data/schemas")
    digest = json.loads((schemas / "providers" / "eu-west-1.json").read_text())[kind]
    found: dict[str, Any] = json.loads((schemas / "resources" / f"{digest}.json").read_text())
    return found


@functools.cache
def calls(kind: str, operation: str) -> frozenset[str]:
    """Return the calls that `create`, `update` or `delete` a resource of the type, and read it afterwards."""
    handlers = schema(kind)["handlers"]
    called = set(handlers.get(operation, {"permissions": []})["permissions"])
    if operation != "delete":
        called |= {*handlers["read"]["permissions"], *schema(kind)["tagging"].get("permissions", [])}
    unused = (*UNUSED[""], *UNUSED.get(kind, ()))
    used = {call for call in called & USED.get(kind, called) if not call.startswith(unused)}
    return frozenset(used | (KEY_OF_A_SECRET.get(operation, set()) if kind == "AWS::SecretsManager::Secret" else set()))
