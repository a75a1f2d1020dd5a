"""Consumers in other AWS accounts: an optional stack of its own, held against its template."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROLE = "arn:aws:iam::210987654321:role/team/consumer"
RENEW = {"Fn::ImportValue": {"Fn::Sub": "${MainStack}-RenewFunctionArn"}}


@pytest.fixture(scope="module")
def granted(elsewhere):
    """What principals of other AWS accounts get."""
    return {name: found["Properties"] for name, found in elsewhere["Resources"].items()}


def test_nothing_is_granted_to_other_accounts_by_any_other_stack(every_template):
    of_others = {"AWS::SecretsManager::ResourcePolicy", "AWS::Events::EventBusPolicy"}
    for name, stack in every_template.items():
        kinds = {resource["Type"] for resource in stack["Resources"].values()}
        assert bool(kinds & of_others) == (name == "elsewhere"), name


def test_other_accounts_may_read_the_token_and_nothing_else(granted):
    policy = granted["TokenSecretPolicy"]
    assert policy["SecretId"] == {"Ref": "TokenSecretArn"}
    assert policy["BlockPublicPolicy"] is True
    (statement,) = policy["ResourcePolicy"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"AWS": {"Ref": "ConsumerPrincipals"}}
    assert statement["Action"] == ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]


def test_other_accounts_may_report_a_rejected_token_and_no_more(granted):
    statement = granted["RejectionReportPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "ConsumerPrincipals"}}
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"]["Fn::Sub"].endswith(":event-bus/default")
    (reported,) = granted["Rejected"]["EventPattern"]["detail-type"]
    assert statement["Condition"] == {"StringEquals": {"events:detail-type": reported}}


def test_a_reported_rejection_invokes_renew(granted):
    rule = granted["Rejected"]
    (target,) = rule["Targets"]
    assert target["Arn"] == RENEW
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 240, "MaximumRetryAttempts": 10}
    # The function gets the event as it is.
    assert not {"Input", "InputPath", "InputTransformer"} & target.keys()
    assert granted["RejectedPermission"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": RENEW,
        "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["Rejected", "Arn"]},
    }


def test_a_rule_hands_over_the_events_of_its_account_alone(granted, elsewhere):
    """Two accounts have a stack each on one bus: an event of one must not be renewed for twice."""
    pattern = granted["Rejected"]["EventPattern"]
    assert pattern.keys() == {"detail-type", "detail"}
    # An event that names no account means the default one.
    default = ["default", {"exists": False}]
    assert pattern["detail"] == {"account": {"Fn::If": ["IsDefaultAccount", default, [{"Ref": "Account"}]]}}
    assert elsewhere["Conditions"] == {"IsDefaultAccount": {"Fn::Equals": [{"Ref": "Account"}, "default"]}}


def test_nothing_else_is_granted(granted):
    assert granted.keys() == {"TokenSecretPolicy", "RejectionReportPolicy", "Rejected", "RejectedPermission"}


def test_it_deploys_without_a_bucket_and_without_a_capability(elsewhere):
    """So that `aws cloudformation deploy` does it, as the head of the file says."""
    assert "Transform" not in elsewhere
    assert not [r for r in elsewhere["Resources"].values() if r["Type"].startswith(("AWS::IAM", "AWS::CloudFormation"))]
    without_default = {name for name, parameter in elsewhere["Parameters"].items() if "Default" not in parameter}
    head = (ROOT / "infra" / "other-aws-accounts.yaml").read_text().partition("AWSTemplate")[0]
    assert set(re.findall(r"(\w+)=", head)) == without_default


@pytest.mark.parametrize(
    "principal", ["210987654321", ROLE, "arn:aws-cn:iam::210987654321:user/x", ROLE[:25] + ":root"]
)
def test_a_principal_of_another_account_is_accepted(elsewhere, principal):
    assert re.fullmatch(elsewhere["Parameters"]["ConsumerPrincipals"]["AllowedPattern"], principal)


@pytest.mark.parametrize("principal", ["*", "1", f" {ROLE}", ROLE.replace("role", "group"), ""])
def test_whatever_else_is_refused(elsewhere, principal):
    """CloudFormation holds the pattern against each value of the list."""
    assert not re.fullmatch(elsewhere["Parameters"]["ConsumerPrincipals"]["AllowedPattern"], principal)
