"""What must hold in production, held against the built and expanded templates.

The end-to-end tests show what can be seen on a deployed stack: rights, settings, secrets that stay, alarms that fire.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
FUNCTIONS = ("RotateFunction", "RenewFunction")

# What no end-to-end test can see. A token is valid for 30 minutes and replaced every 25, so what comes more than five
# minutes late comes too late.
PROPERTIES = [
    *[(function, "Runtime", "python3.13") for function in FUNCTIONS],
    *[(function, "Architectures", ["arm64"]) for function in FUNCTIONS],
    # Consumers wait for renew, so it has more of a processor.
    ("RotateFunction", "MemorySize", 256),
    ("RenewFunction", "MemorySize", 1024),
    # Less than the 60 s after which a caller's SDK stops waiting and invokes it again.
    ("RenewFunction", "Timeout", 30),
    *[(f"{function}EventInvokeConfig", "MaximumEventAgeInSeconds", 240) for function in FUNCTIONS],
    ("RenewFunctionEventInvokeConfig", "MaximumRetryAttempts", 2),
    *[(f"{name}LogGroup", "RetentionInDays", {"Ref": "LogRetentionDays"}) for name in ("Rotate", "Renew")],
    ("LockTable", "BillingMode", "PAY_PER_REQUEST"),
    ("LockTable", "TimeToLiveSpecification", {"AttributeName": "expiration", "Enabled": True}),
    ("DeadLetterQueue", "MessageRetentionPeriod", 14 * 24 * 3600),
    ("DeadLetterQueue", "SqsManagedSseEnabled", True),
    *[(schedule, "FlexibleTimeWindow", {"Mode": "OFF"}) for schedule in ("Schedule", "Watchdog")],
    ("Schedule", "ScheduleExpression", {"Ref": "ScheduleExpression"}),
    ("Watchdog", "ScheduleExpression", "rate(1 minute)"),
    ("Schedule", "Target.RetryPolicy", {"MaximumEventAgeInSeconds": 240, "MaximumRetryAttempts": 10}),
    # Its next tick is its retry.
    ("Watchdog", "Target.RetryPolicy", {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}),
    ("Watchdog", "Target.DeadLetterConfig", None),
]


@pytest.mark.parametrize(("name", "path", "value"), PROPERTIES, ids=[f"{name} {path}" for name, path, _ in PROPERTIES])
def test_a_property_has_the_value_that_production_needs(resources, account_resources, name, path, value):
    found = (resources | account_resources["Resources"])[name]["Properties"]
    for member in path.split("."):
        found = found.get(member)
    assert found == value


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_all_the_settings_that_it_reads(resources, function):
    assert resources[function]["Properties"]["Environment"]["Variables"] == {
        "TALEND_API_URL": {"Ref": "TalendApiUrl"},
        "SECRET_PREFIX": {"Ref": "SecretPrefix"},
        "CREDENTIALS_SECRET": {"Ref": "ExistingCredentialsSecretArn"},
        "PROBE_PATH": {"Ref": "ProbePath"},
        "SCHEDULE_EXPRESSION": {"Ref": "ScheduleExpression"},
        "LOCK_TABLE": {"Ref": "LockTable"},
        "STACK_NAME": {"Ref": "AWS::StackName"},
    }


def test_new_credentials_of_any_account_invoke_rotate(resources):
    rule = resources["RotateFunctionCredentialsChanged"]["Properties"]
    current = {"labelUpdated": ["AWSCURRENT"]}
    assert rule["EventPattern"] == {
        "source": ["aws.secretsmanager"],
        "detail-type": ["Secret Label Updated"],
        "$or": [
            {"detail": current | {"name": [{"wildcard": {"Fn::Sub": "${SecretPrefix}/*/credentials"}}]}},
            {"detail": current, "resources": [{"Ref": "ExistingCredentialsSecretArn"}]},
        ],
    }
    (target,) = rule["Targets"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 240, "MaximumRetryAttempts": 10}


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


# --- rights ---


def test_lambda_may_join_a_network_with_these_actions(resources):
    """The other rights are looked at one by one in `tests/e2e/test_rights.py`."""
    statements = resources["PublisherPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (join,) = [one["Fn::If"][1] for one in statements if one.get("Fn::If", [""])[0] == "HasNetwork"]
    assert join["Action"] == [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]


def test_only_this_accounts_scheduler_may_take_the_schedules_role(resources):
    (trust,) = resources["SchedulerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


# --- parameters and outputs ---


def test_the_template_is_read_in_a_sitting():
    assert len((ROOT / "template.yaml").read_text().splitlines()) < MOST_LINES


def test_the_alarm_address_is_subscribed_if_there_is_one(resources):
    subscription = resources["AlarmEmailSubscription"]
    assert subscription["Condition"] == "HasAlarmEmail"
    assert subscription["Properties"]["Endpoint"] == {"Ref": "AlarmEmail"}


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
