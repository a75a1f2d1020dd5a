"""Consumers in other AWS accounts and other Regions, held against the templates: no local AWS has two of either."""

import pytest

NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.fixture(scope="module")
def granted(nested):
    """What principals of other AWS accounts get."""
    return {name: found["Properties"] for name, found in nested["OtherAWSAccounts"]["Resources"].items()}


@pytest.fixture(params=["main", "account"])
def stack(request, template, account):
    return {"main": template, "account": account}[request.param]


def test_nothing_is_granted_to_other_accounts_unless_they_are_named(stack):
    assert stack["Resources"]["OtherAWSAccounts"]["Condition"] == "HasConsumerPrincipals"
    assert stack["Conditions"]["HasConsumerPrincipals"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ConsumerPrincipals"}, ""]}]
    }
    assert stack["Resources"]["OtherAWSAccounts"]["Properties"]["Parameters"] == {
        "ConsumerPrincipals": {"Ref": "ConsumerPrincipals"},
        "TokenSecretArn": {"Fn::GetAtt": ["TokenSecret", "Id"]},
    }


def test_other_accounts_are_refused_without_a_key_that_they_could_use(stack):
    rule = stack["Rules"]["OtherAWSAccountsNeedAKey"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ConsumerPrincipals"}, ""]}]}
    (assertion,) = rule["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]}


def test_other_accounts_may_read_the_token_and_nothing_else(granted):
    policy = granted["TokenSecretPolicy"]
    assert policy["SecretId"] == {"Ref": "TokenSecretArn"}
    assert policy["BlockPublicPolicy"] is True
    (statement,) = policy["ResourcePolicy"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"AWS": {"Ref": "ConsumerPrincipals"}}
    assert statement["Action"] == ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]


def test_other_accounts_may_report_a_rejected_token_and_send_no_other_event(granted, resources):
    statement = granted["RejectionReportPolicy"]["Statement"]
    assert statement["Principal"] == {"AWS": {"Ref": "ConsumerPrincipals"}}
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"]["Fn::Sub"].endswith(":event-bus/default")
    (reported,) = resources["RenewFunctionRejected"]["Properties"]["EventPattern"]["detail-type"]
    assert statement["Condition"] == {"StringEquals": {"events:detail-type": reported}}


def test_nothing_else_is_granted(granted):
    assert granted.keys() == {"TokenSecretPolicy", "RejectionReportPolicy"}


def test_the_token_has_a_replica_where_a_region_is_given(template, resources):
    replicas = resources["TokenSecret"]["Properties"]["ReplicaRegions"]
    key = {"Fn::If": ["HasReplicaKmsKey", {"Ref": "ReplicaKmsKeyArn"}, NO_VALUE]}
    assert replicas == {"Fn::If": ["HasReplica", [{"Region": {"Ref": "ReplicaRegion"}, "KmsKeyId": key}], NO_VALUE]}
    assert template["Conditions"]["HasReplica"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReplicaRegion"}, ""]}]}
    assert template["Conditions"]["HasReplicaKmsKey"] == {
        "Fn::And": [{"Condition": "HasReplica"}, {"Fn::Not": [{"Fn::Equals": [{"Ref": "ReplicaKmsKeyArn"}, ""]}]}]
    }


def test_the_credentials_stay_in_their_region(resources):
    assert "ReplicaRegions" not in resources["CredentialsSecret"]["Properties"]
