"""The rights that deploying takes, held against AWS's own lists of what CloudFormation calls for a type of resource.

`tests/e2e/test_deployment_rights.py` deploys with them, on the resources that they name.
"""

import json

import pytest

from local_aws.deployment_calls import calls, schema
from template.conftest import ROOT

POLICY = json.loads((ROOT / "infra" / "deployment-policy.json").read_text())
# Calls that the SAM CLI makes itself, to deploy and to delete.
SAM_CLI = {
    *("cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:DescribeStackEvents"),
    *("cloudformation:DescribeStackResource", "cloudformation:ExecuteChangeSet", "cloudformation:GetTemplateSummary"),
    *("s3:DeleteObject", "s3:ListBucket", "s3:PutObject"),
}
# CloudFormation deletes neither with a stack of ours.
BUCKET = ("AWS::S3::Bucket", "AWS::S3::BucketPolicy")


@pytest.fixture(scope="module")
def kinds(template, nested):
    """Return every type of resource in the main stack and the stacks in it."""
    stacks = [template, *nested.values()]
    return {resource["Type"] for stack in stacks for resource in stack["Resources"].values()}


def test_the_policy_allows_what_deploying_calls_and_nothing_else(kinds):
    needed = SAM_CLI.union(*(calls(kind, "create") for kind in BUCKET))
    needed |= {
        call for kind in kinds for operation in ("create", "update", "delete") for call in calls(kind, operation)
    }
    allowed = [action for statement in POLICY["Statement"] for action in statement["Action"]]
    assert sorted(allowed) == sorted(needed)


def test_what_has_a_name_is_allowed_by_its_name():
    unnamed = {"SecretsKey": ["arn:aws:kms:*:*:key/*"], "WithoutNames": ["*"]}
    for statement in POLICY["Statement"]:
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Resource"] != unnamed.get(statement["Sid"]):
            assert all(
                "talend-token" in arn or "aws-sam" in arn or "Serverless" in arn for arn in statement["Resource"]
            )


def test_the_policy_fits_into_a_managed_policy():
    """IAM counts 6,144 characters, white space apart."""
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= 6144


def test_tags_reach_what_can_have_them(kinds):
    """CloudFormation propagates a stack's tags to every resource whose type can have some, by its schema."""
    untagged = {kind for kind in kinds if not schema(kind).get("tagging", {}).get("taggable", False)}
    text = (ROOT / "docs" / "companies.md").read_text()
    (listed,) = [line for line in text.splitlines() if line.startswith("Without tags:")]
    assert {part.strip(" `.") for part in listed.removeprefix("Without tags:").split(",")} == {
        kind.removeprefix("AWS::") for kind in untagged
    }
