"""No policy of a template names every action, resource or principal, but where a reason is written down."""

import json

import pytest

RANDOM = "the six characters that Secrets Manager adds to a name are not known before it is there"
ACCOUNTS = f"an account's secrets are named when its own stack is deployed, after this policy; {RANDOM}"
REASONS = {
    ("PublisherPolicy", "ReadCredentials", ":secret:${SecretPrefix}/*/credentials-??????"): ACCOUNTS,
    ("PublisherPolicy", "PublishTokens", ":secret:${SecretPrefix}/*/token-??????"): ACCOUNTS,
    (
        "PublisherPolicy",
        "JoinNetwork",
        "*",
    ): "Lambda creates the network interfaces, and Describe calls take no resource",
    ("TokenSecretPolicy", "ReadFromOtherAWSAccounts", "*"): "the secret that holds the policy, and its replicas",
}
# Of AWS: lets a function write its logs, of which the example consumer has no more to say.
MANAGED_BY_AWS = {("ConsumerRole", "AWSLambdaBasicExecutionRole")}


@pytest.fixture(scope="module")
def resources_of_all(every_template):
    return [item for stack in every_template.values() for item in stack["Resources"].items()]


def documents(resource):
    """Every policy document in a resource, whatever it is called there."""
    if isinstance(resource, list):
        return [found for one in resource for found in documents(one)]
    if not isinstance(resource, dict):
        return []
    if "Effect" in resource:
        return [resource]
    return [found for value in resource.values() for found in documents(value)]


def texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, one in value.items() if name != "Fn::GetAtt" for text in texts(one)]
    return [text for one in value for text in texts(one)] if isinstance(value, list) else []


def test_every_wildcard_of_a_policy_has_a_reason(resources_of_all):
    found, statements = set(), 0
    for name, resource in resources_of_all:
        for statement in documents(resource.get("Properties", {})):
            statements += 1
            assert statement["Effect"] == "Allow"
            assert not {"NotAction", "NotResource", "NotPrincipal"} & statement.keys()
            for member in ("Action", "Resource", "Principal"):
                for text in texts(statement.get(member, [])):
                    if "*" in text or "?" in text:
                        found.add(
                            (name, statement.get("Sid"), text[text.find(":secret:") :] if ":secret:" in text else text)
                        )
    assert statements > 15
    assert found == REASONS.keys()


def test_a_policy_of_aws_is_attached_where_a_reason_is_written_down(resources_of_all):
    attached = {
        (name, text.rsplit("/", 1)[1])
        for name, resource in resources_of_all
        for text in texts(resource.get("Properties", {}).get("ManagedPolicyArns", []))
        if "/" in text
    }
    assert attached == MANAGED_BY_AWS


def test_no_user_no_group_and_no_key_is_made(resources_of_all):
    kinds = {
        resource["Type"] for _, resource in resources_of_all if resource["Type"].startswith(("AWS::IAM", "AWS::KMS"))
    }
    assert kinds == {"AWS::IAM::Role", "AWS::IAM::ManagedPolicy"}


@pytest.mark.parametrize("member", ["Action", "Resource"])
def test_a_wildcard_is_seen_wherever_it_is(member):
    statement = {"Effect": "Allow", member: {"Fn::If": ["A", {"Fn::Sub": "arn:${B}:*"}, "x"]}}
    (found,) = documents(json.loads(json.dumps({"Policies": [{"PolicyDocument": {"Statement": [statement]}}]})))
    assert "*" in "".join(texts(found[member]))
