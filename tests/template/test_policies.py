"""No policy names more than it has to, and every template works in every partition of AWS.

The rights that deploying takes are held against AWS's own lists of what CloudFormation calls for a type of resource.
`tests/e2e/test_deployment_rights.py` deploys with them, on the resources that they name.
"""

import json
import re

import pytest

from local_aws.deployment_calls import calls, schema
from template.conftest import ROOT

RANDOM = "the six characters that Secrets Manager adds to a name are not known before it is there"
ACCOUNTS = f"an account's secrets are named when its own stack is deployed, after this policy; {RANDOM}"
REASONS = {
    ("PublisherPolicy", "ReadCredentials", ":secret:${SecretPrefix}/*/credentials-??????"): ACCOUNTS,
    ("PublisherPolicy", "PublishTokens", ":secret:${SecretPrefix}/*/token-??????"): ACCOUNTS,
    ("PublisherPolicy", "JoinNetwork", "*"): "Lambda creates the interfaces, and Describe calls take no resource",
    ("TokenSecretPolicy", "ReadFromOtherAWSAccounts", "*"): "the secret that holds the policy, and its replicas",
    # Of AWS: lets a function write its logs, of which the example consumer has no more to say.
    ("ConsumerRole", "managed", "AWSLambdaBasicExecutionRole"): "the example consumer writes logs",
}
PARTITIONS = {
    "aws": "eu-west-1",
    "aws-cn": "cn-northwest-1",
    "aws-us-gov": "us-gov-east-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso-b": "us-isob-east-1",
}
# The patterns of parameters are about these: an ARN for each, without its partition and Region.
ARNS = {
    "secretsmanager": "123456789012:secret:team/mine-a1b2c3",
    "kms": "123456789012:key/mrk-0123456789abcdef",
    "lambda": "123456789012:layer:talend-token-client:7",
    "iam": "123456789012:policy/talend-token-ConsumerPolicy-1",
}
# China may have either name. KMS compares whole names, so one too many grants nothing.
VIA_SERVICE = {
    "secretsmanager.${AWS::Region}.${AWS::URLSuffix}",
    "secretsmanager.${AWS::Region}.amazonaws.com",
}


def inside(value):
    """Yield every dict and every string in a part of a template, without the attributes that Fn::GetAtt names."""
    if isinstance(value, str | dict):
        yield value
    if isinstance(value, dict):
        value = [one for name, one in value.items() if name != "Fn::GetAtt"]
    if isinstance(value, list):
        for one in value:
            yield from inside(one)


def texts(value):
    return [one for one in inside(value) if isinstance(one, str)]


def wildcards(statement):
    """Return the wildcards of a statement of a policy, without what an ARN begins with."""
    members = [statement.get(member, []) for member in ("Action", "Resource", "Principal")]
    return {
        text[text.find(":secret:") :] if ":secret:" in text else text
        for text in texts(members)
        if set(text) & set("*?")
    }


@pytest.fixture(scope="module")
def resources_of_all(every_template):
    return [item for stack in every_template.values() for item in stack["Resources"].items()]


def test_every_wildcard_of_a_policy_has_a_reason(resources_of_all):
    found = set()
    for name, resource in resources_of_all:
        properties = resource.get("Properties", {})
        for statement in [one for one in inside(properties) if isinstance(one, dict) and "Effect" in one]:
            assert statement["Effect"] == "Allow"
            assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys()
            found |= {(name, statement.get("Sid"), text) for text in wildcards(statement)}
        attached = texts(properties.get("ManagedPolicyArns", []))
        found |= {(name, "managed", text.rsplit("/", 1)[1]) for text in attached if "/" in text}
    assert found == REASONS.keys()


def test_no_user_no_group_and_no_key_is_made(resources_of_all):
    kinds = {resource["Type"] for _, resource in resources_of_all}
    assert {kind for kind in kinds if kind.startswith(("AWS::IAM", "AWS::KMS"))} == {
        "AWS::IAM::Role",
        "AWS::IAM::ManagedPolicy",
    }


def test_no_template_names_a_partition_a_region_or_a_suffix(every_template):
    looked_at = [text for one in every_template.values() for text in texts([one["Resources"], one.get("Outputs", {})])]
    assert len(looked_at) > 400
    for text in looked_at:
        # The policies of AWS itself are written in by SAM, for the partition that it deploys to.
        arns = re.findall(r"arn:[^:\s]*:(?!iam::aws:policy/)[^\s\"]*", text)
        assert [arn for arn in arns if not arn.startswith("arn:${AWS::Partition}:")] == [], text
        assert not re.search(r"\b[a-z]{2,4}(-[a-z]+)+-\d\b", text), text
        # Service principals have this suffix in every partition.
        assert "amazonaws" not in text or re.fullmatch(r"[a-z]+\.amazonaws\.com", text) or text in VIA_SERVICE, text


def test_a_service_is_named_as_kms_sees_it_in_every_partition(resources_of_all):
    named = [one["kms:ViaService"] for one in inside([r for _, r in resources_of_all]) if "kms:ViaService" in one]
    assert [{one["Fn::Sub"] for one in names} for names in named] == [VIA_SERVICE] * 2


@pytest.mark.parametrize(("partition", "region"), PARTITIONS.items())
def test_a_parameter_takes_the_arns_of_every_partition_and_no_other(every_template, partition, region):
    patterns = {
        f"{stack} {name}": parameter["AllowedPattern"]
        for stack, template in every_template.items()
        for name, parameter in template["Parameters"].items()
        if "arn:" in parameter.get("AllowedPattern", "")
    }
    assert len(patterns) >= 6
    for name, pattern in patterns.items():
        (service,) = {service for service in ARNS if f":{service}:" in pattern}
        of_service = "123456789012:role/consumer" if name == "elsewhere ConsumerPrincipals" else ARNS[service]
        arn = f"arn:{{}}:{service}:{'' if service == 'iam' else region}:{of_service}"
        assert re.fullmatch(pattern, arn.format(partition)), name
        assert not [wrong for wrong in ("aws1", "gcp") if re.fullmatch(pattern, arn.format(wrong))], name


# --- the rights that deploying takes ---

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
        assert ("Condition" in statement) == (statement["Sid"] == "SecretsKey")
        if statement["Resource"] != unnamed.get(statement["Sid"]):
            named = re.compile(r"[:/](cloudformation-)?(talend-token|aws-sam)|Serverless")
            assert [arn for arn in statement["Resource"] if not named.search(arn)] == []


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
