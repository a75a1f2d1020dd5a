"""The example consumer, and the optional stack for consumers in other AWS accounts.

`tests/e2e/test_renewal.py` deploys both; `tests/e2e/test_rights.py` shows what the second one grants.
"""

import ast
import re

import pytest

from template.conftest import ROOT

ROLE = "arn:aws:iam::210987654321:role/team/consumer"
RENEWAL_SECONDS = 30


def test_two_requests_and_a_renewal_fit_into_the_consumers_time(every_template):
    source = ast.parse((ROOT / "infra" / "consumer" / "app.py").read_text())
    (timeout,) = [node.value for node in ast.walk(source) if isinstance(node, ast.keyword) and node.arg == "timeout"]
    connect, read = ast.literal_eval(timeout)
    resources = every_template["consumer"]["Resources"]
    assert resources["Consumer"]["Properties"]["Timeout"] > 2 * (connect + read) + RENEWAL_SECONDS
    for name in ("consumer", "consumer in Node.js"):
        resources = every_template[name]["Resources"]
        assert resources["LogGroup"]["Properties"]["RetentionInDays"] == 30
    assert resources["Consumer"]["Properties"]["Timeout"] == 90


def test_the_consumer_sends_its_token_over_https_or_on_this_machine(every_template):
    pattern = every_template["consumer"]["Parameters"]["TalendApiUrl"]["AllowedPattern"]
    assert re.fullmatch(pattern, "https://api.eu.cloud.talend.com")
    assert not re.fullmatch(pattern, "http://api.eu.cloud.talend.com")


@pytest.fixture(scope="module")
def granted(elsewhere):
    """Return what principals of other AWS accounts get."""
    return {name: found["Properties"] for name, found in elsewhere["Resources"].items()}


def test_nothing_is_granted_to_other_accounts_by_any_other_stack(every_template):
    of_others = {"AWS::SecretsManager::ResourcePolicy", "AWS::Events::EventBusPolicy"}
    for name, stack in every_template.items():
        kinds = {resource["Type"] for resource in stack["Resources"].values()}
        assert bool(kinds & of_others) == (name == "elsewhere"), name


def test_other_accounts_may_read_the_token_and_nothing_else(granted):
    policy = granted["TokenSecretPolicy"]
    assert policy["BlockPublicPolicy"] is True
    (statement,) = policy["ResourcePolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "ConsumerPrincipals"}}
    assert statement["Action"] == ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]


def test_other_accounts_may_report_a_rejected_token_and_no_more(granted):
    policy = granted["RejectionReportPolicy"]
    # Two stacks with one id would overwrite each other's statement.
    assert policy["StatementId"] == {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    statement = policy["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "ConsumerPrincipals"}}
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"]["Fn::Sub"].endswith(":event-bus/default")
    (reported,) = granted["Rejected"]["EventPattern"]["detail-type"]
    assert statement["Condition"] == {"StringEquals": {"events:detail-type": reported}}


def test_a_rule_passes_on_the_events_of_its_account_alone(granted, elsewhere):
    """Two accounts have a stack each on one bus: an event of one must not be renewed for twice."""
    pattern = granted["Rejected"]["EventPattern"]
    assert pattern.keys() == {"detail-type", "detail"}
    # An event that names no account means the default one.
    default = ["default", {"exists": False}]
    assert pattern["detail"] == {"account": {"Fn::If": ["IsDefaultAccount", default, [{"Ref": "Account"}]]}}
    assert elsewhere["Conditions"] == {"IsDefaultAccount": {"Fn::Equals": [{"Ref": "Account"}, "default"]}}
    (target,) = granted["Rejected"]["Targets"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 240, "MaximumRetryAttempts": 10}


def test_principals_of_other_accounts_are_accepted_and_nothing_else(elsewhere):
    """CloudFormation holds the pattern against each value of the list."""
    pattern = elsewhere["Parameters"]["ConsumerPrincipals"]["AllowedPattern"]
    accepted = ["210987654321", ROLE, "arn:aws-cn:iam::210987654321:user/x", ROLE[:25] + ":root"]
    refused = ["*", "1", f" {ROLE}", ROLE.replace("role", "group"), ""]
    assert [value for value in [*accepted, *refused] if re.fullmatch(pattern, value)] == accepted
