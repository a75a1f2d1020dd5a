"""The built and expanded templates have the properties that production needs.

The end-to-end tests show what can be seen on a deployed stack: rights, settings, secrets that stay, alarms that fire.
"""

import re

import pytest

from template.conftest import ROOT

MOST_LINES = 400
FUNCTIONS = ("RotateFunction", "RenewFunction")

# Properties that no end-to-end test can see. A token is valid for 30 minutes and replaced every 25, so an event that is
# delivered more than five minutes late is too late.
SETTINGS = {
    "TALEND_API_URL": {"Ref": "TalendApiUrl"},
    "SECRET_PREFIX": {"Ref": "SecretPrefix"},
    "CREDENTIALS_SECRET": {"Ref": "ExistingCredentialsSecretArn"},
    "PROBE_PATH": {"Ref": "ProbePath"},
    "SCHEDULE_EXPRESSION": {"Ref": "ScheduleExpression"},
    "LOCK_TABLE": {"Ref": "LockTable"},
    "STACK_NAME": {"Ref": "AWS::StackName"},
}
RETRIED = {"MaximumEventAgeInSeconds": 240, "MaximumRetryAttempts": 10}
LAMBDA = {"Service": "lambda.amazonaws.com"}
CURRENT = {"labelUpdated": ["AWSCURRENT"]}
PROPERTIES = [
    *[(function, "Runtime", "python3.13") for function in FUNCTIONS],
    *[(function, "Architectures", ["arm64"]) for function in FUNCTIONS],
    *[(function, "Environment.Variables", SETTINGS) for function in FUNCTIONS],
    *[(function, "ReservedConcurrentExecutions", None) for function in FUNCTIONS],
    # X-Ray would store answers and exceptions.
    *[(function, "TracingConfig", None) for function in FUNCTIONS],
    *[(f"{name}Role", "AssumeRolePolicyDocument.Statement.0.Principal", LAMBDA) for name in ("Rotate", "Renew")],
    # Consumers wait for renew, so it has more of a processor.
    ("RotateFunction", "MemorySize", 256),
    ("RenewFunction", "MemorySize", 1024),
    # Less than the 60 s after which a caller's SDK stops waiting and invokes it again.
    ("RenewFunction", "Timeout", 30),
    ("RotateFunction", "Timeout", 60),
    *[(f"{function}EventInvokeConfig", "MaximumEventAgeInSeconds", 240) for function in FUNCTIONS],
    # The watchdog repeats a failed rotation, so it is not a dead letter either.
    ("RotateFunctionEventInvokeConfig", "MaximumRetryAttempts", 0),
    ("RotateFunctionEventInvokeConfig", "DestinationConfig", {}),
    ("RenewFunctionEventInvokeConfig", "MaximumRetryAttempts", 2),
    *[(f"{name}LogGroup", "RetentionInDays", {"Ref": "LogRetentionDays"}) for name in ("Rotate", "Renew")],
    ("LockTable", "BillingMode", "PAY_PER_REQUEST"),
    ("LockTable", "TimeToLiveSpecification", {"AttributeName": "expiration", "Enabled": True}),
    ("DeadLetterQueue", "MessageRetentionPeriod", 14 * 24 * 3600),
    ("DeadLetterQueue", "SqsManagedSseEnabled", True),
    *[(schedule, "FlexibleTimeWindow", {"Mode": "OFF"}) for schedule in ("Schedule", "Watchdog")],
    ("Schedule", "ScheduleExpression", {"Ref": "ScheduleExpression"}),
    ("Watchdog", "ScheduleExpression", "rate(1 minute)"),
    ("Schedule", "Target.RetryPolicy", RETRIED),
    # Its next tick is its retry.
    ("Watchdog", "Target.RetryPolicy", {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}),
    ("Watchdog", "Target.DeadLetterConfig", None),
    ("AlarmEmailSubscription", "Endpoint", {"Ref": "AlarmEmail"}),
    ("AlarmEmailSubscription", "Protocol", "email"),
    ("AlarmEmailSubscription", "TopicArn", {"Ref": "AlarmTopic"}),
    # New credentials of any account invoke rotate.
    ("RotateFunctionCredentialsChanged", "EventPattern.source", ["aws.secretsmanager"]),
    ("RotateFunctionCredentialsChanged", "EventPattern.detail-type", ["Secret Label Updated"]),
    (
        "RotateFunctionCredentialsChanged",
        "EventPattern.$or",
        [
            {"detail": CURRENT | {"name": [{"wildcard": {"Fn::Sub": "${SecretPrefix}/*/credentials"}}]}},
            {"detail": CURRENT, "resources": [{"Ref": "ExistingCredentialsSecretArn"}]},
        ],
    ),
    ("RotateFunctionCredentialsChanged", "Targets.0.RetryPolicy", RETRIED),
    # Only this account's scheduler may take the schedules' role. `tests/e2e/test_rights.py` looks at the other rights.
    ("SchedulerRole", "AssumeRolePolicyDocument.Statement.0.Principal", {"Service": "scheduler.amazonaws.com"}),
    (
        "SchedulerRole",
        "AssumeRolePolicyDocument.Statement.0.Condition",
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    ),
]


@pytest.mark.parametrize(("name", "path", "value"), PROPERTIES, ids=[f"{name} {path}" for name, path, _ in PROPERTIES])
def test_a_property_has_the_value_that_production_needs(resources, account_resources, name, path, value):
    found = (resources | account_resources["Resources"])[name]["Properties"]
    for member in path.split("."):
        if isinstance(found, list):
            (found,) = found
        else:
            found = found.get(member)
    assert found == value


def test_only_secrets_and_the_layer_outlive_the_stack(every_template):
    kept = {
        (resource["Type"], resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for stack in every_template.values()
        for resource in stack["Resources"].values()
        if resource["Type"] == "AWS::SecretsManager::Secret" or resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert kept == {
        ("AWS::SecretsManager::Secret", "RetainExceptOnCreate", "Retain"),
        ("AWS::Lambda::LayerVersion", "Retain", None),
    }


def test_the_layer_is_for_every_python_and_built_on_the_functions_own(resources):
    """`sam build --use-container` takes the image of the first compatible runtime."""
    (layer,) = [found["Properties"] for found in resources.values() if found["Type"] == "AWS::Lambda::LayerVersion"]
    first, *_ = layer["CompatibleRuntimes"]
    assert f"PYTHON ?= {first}\n" in (ROOT / "functions" / "Makefile").read_text()
    assert first == resources["RotateFunction"]["Properties"]["Runtime"]
    assert set(layer["CompatibleRuntimes"]) == {f"python3.{minor}" for minor in range(11, 15)}
    assert layer["CompatibleArchitectures"] == ["arm64", "x86_64"]


# --- parameters and outputs ---


def test_the_template_is_read_in_a_sitting():
    assert len((ROOT / "template.yaml").read_text().splitlines()) < MOST_LINES


def test_the_alarm_address_is_subscribed_if_there_is_one(resources):
    assert resources["AlarmEmailSubscription"]["Condition"] == "HasAlarmEmail"


def test_every_parameter_is_described_bounded_and_has_a_default(template, account):
    for stack in (template, account):
        for name, parameter in stack["Parameters"].items():
            assert 20 < len(parameter["Description"]) < 4000, name
            assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), name
            assert ("Default" in parameter) == (name != "Account"), name


def test_every_parameter_is_shown_in_one_group(template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(template["Parameters"])


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-a1b2c3"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/x"


@pytest.mark.parametrize(
    ("parameter", "accepted", "refused"),
    [
        (
            "TalendApiUrl",
            ["https://api.eu.cloud.talend.com", "https://proxy.example:8443/talend", "http://127.0.0.1:8080"],
            [
                "",
                "http://api.eu.cloud.talend.com",
                "http://127.0.0.1.evil.example",
                "https://me@host",
                "https://h?x",
                "ftp://h",
            ],
        ),
        ("ProbePath", ["", "/", "/orchestration/workspaces?limit=1"], ["workspaces", "https://h/", "/a b"]),
        ("SecretPrefix", ["talend-token", "team/talend"], ["", "/talend", "talend/", "tal end", "tal*"]),
        (
            "ExistingCredentialsSecretArn",
            ["", ARN, ARN.replace("mine", "team/its@own+name=1_2.3"), ARN.replace("a1b2c3", "ZZZZZZ")],
            # A partial ARN deploys on AWS, and then matches neither rights nor events.
            ["mine", ARN.replace("secretsmanager", "ssm"), ARN[:-7], ARN[:-1], f"{ARN}x", ARN.replace("mine", "m*")],
        ),
        ("KmsKeyArn", ["", KEY], [KEY.replace("key/", "alias/"), KEY.replace("123456789012", "1"), "x"]),
        ("ScheduleExpression", ["rate(25 minutes)", "cron(0 * * * ? *)"], ["25 minutes", "at(2026-11-23T00:00:00)"]),
        ("AlarmEmail", ["", "ops@example.com"], ["ops", "a b@example.com"]),
        ("SubnetIds", ["", "subnet-0a1b2c3d", "subnet-0a1b2c3d,subnet-0e4f"], ["vpc-1", "subnet-1, subnet-2", ","]),
        ("SecurityGroupIds", ["", "sg-0a1b2c3d", "sg-0a1b,sg-0c2d"], ["default", "sg-1;sg-2", "sg-1,"]),
        (
            "PermissionsBoundaryArn",
            ["", "arn:aws:iam::123456789012:policy/team/bound", "arn:aws-cn:iam::aws:policy/PowerUserAccess"],
            ["bound", "arn:aws:iam::123456789012:role/bound"],
        ),
    ],
)
def test_parameters_accept_what_they_document_and_refuse_the_rest(template, parameter, accepted, refused):
    # CloudFormation holds the pattern against the whole value.
    pattern = re.compile(template["Parameters"][parameter]["AllowedPattern"])
    assert [value for value in accepted if not pattern.fullmatch(value)] == []
    assert [value for value in refused if pattern.fullmatch(value)] == []
