"""What must hold in production, held against the built and expanded main template."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A token is valid for 30 minutes and replaced every 25: what comes later than this comes too late.
MARGIN_SECONDS = 300
FUNCTIONS = pytest.mark.parametrize("function", ["RotateFunction", "RenewFunction"])
MOST_LINES = 400


def environment(resources, function="RotateFunction"):
    return resources[function]["Properties"]["Environment"]["Variables"]


# --- the functions ---


@FUNCTIONS
def test_a_function_runs_on_the_documented_runtime(resources, function):
    properties = resources[function]["Properties"]
    handler = f"{function.removesuffix('Function').lower()}.handler"
    assert (properties["Runtime"], properties["Handler"]) == ("python3.13", handler)
    assert properties["Architectures"] == ["arm64"]


def test_renew_has_more_of_a_processor_than_rotate(resources):
    """Consumers wait for it."""
    assert resources["RotateFunction"]["Properties"]["MemorySize"] == 256
    assert resources["RenewFunction"]["Properties"]["MemorySize"] == 1024


@FUNCTIONS
def test_a_function_has_all_the_settings_that_it_reads(resources, function):
    assert environment(resources, function) == {
        "TALEND_API_URL": {"Ref": "TalendApiUrl"},
        "SECRET_PREFIX": {"Ref": "SecretPrefix"},
        "CREDENTIALS_SECRET": {"Ref": "ExistingCredentialsSecretArn"},
        "PROBE_PATH": {"Ref": "ProbePath"},
        "SCHEDULE_EXPRESSION": {"Ref": "ScheduleExpression"},
        "LOCK_TABLE": {"Ref": "LockTable"},
        "STACK_NAME": {"Ref": "AWS::StackName"},
    }


def test_the_lock_table_forgets_by_itself(resources):
    table = resources["LockTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}


def test_renew_answers_before_its_callers_sdk_stops_waiting(resources):
    # botocore's read_timeout is 60 s by default; then it would invoke again.
    assert resources["RenewFunction"]["Properties"]["Timeout"] < 60


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
    assert "State" not in rule
    (target,) = rule["Targets"]
    # The function gets the event as it is.
    assert not {"Input", "InputPath", "InputTransformer"} & target.keys()
    assert target["Arn"] == {"Fn::GetAtt": ["RotateFunction", "Arn"]}
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] < MARGIN_SECONDS
    permission = resources["RotateFunctionCredentialsChangedPermission"]["Properties"]
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": ["RotateFunctionCredentialsChanged", "Arn"]}


@FUNCTIONS
def test_an_event_that_waited_too_long_is_dropped(resources, function):
    config = resources[f"{function}EventInvokeConfig"]["Properties"]
    assert config["MaximumEventAgeInSeconds"] < MARGIN_SECONDS


def test_a_failed_rotation_is_repeated_by_the_watchdog_alone(resources):
    """So it is no dead letter either: one for each tick would be noise."""
    config = resources["RotateFunctionEventInvokeConfig"]["Properties"]
    assert config["MaximumRetryAttempts"] == 0
    assert not config.get("DestinationConfig")


def test_a_failed_renewal_by_event_is_repeated_and_then_kept(resources):
    config = resources["RenewFunctionEventInvokeConfig"]["Properties"]
    assert config["MaximumRetryAttempts"] == 2
    destination = config["DestinationConfig"]["OnFailure"]["Destination"]
    assert destination == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_dead_letters_are_kept_encrypted_for_two_weeks(resources):
    queue = resources["DeadLetterQueue"]["Properties"]
    assert (queue["MessageRetentionPeriod"], queue["SqsManagedSseEnabled"]) == (14 * 24 * 3600, True)


@FUNCTIONS
def test_logs_are_json_in_a_group_of_their_own_with_retention(resources, function):
    group = function.replace("Function", "LogGroup")
    assert resources[function]["Properties"]["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": group}}
    assert resources[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_only_secrets_and_the_layer_outlive_the_stack(every_template):
    kept = {
        (resource["Type"], resource["DeletionPolicy"])
        for stack in every_template.values()
        for resource in stack["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert kept == {
        ("AWS::SecretsManager::Secret", "RetainExceptOnCreate"),
        ("AWS::Lambda::LayerVersion", "Retain"),
    }


# --- the layer ---


def test_sam_builds_the_layer_on_the_python_of_the_functions(resources):
    """`sam build --use-container` takes the image of the first compatible runtime."""
    (layer,) = [found["Properties"] for found in resources.values() if found["Type"] == "AWS::Lambda::LayerVersion"]
    first, *_ = layer["CompatibleRuntimes"]
    assert first == resources["RotateFunction"]["Properties"]["Runtime"]
    assert f"PYTHON ?= {first}\n" in (ROOT / "functions" / "Makefile").read_text()


def test_the_layer_is_for_every_python_that_lambda_supports(resources):
    (layer,) = [found["Properties"] for found in resources.values() if found["Type"] == "AWS::Lambda::LayerVersion"]
    assert set(layer["CompatibleRuntimes"]) == {f"python3.{minor}" for minor in range(11, 15)}
    assert layer["CompatibleArchitectures"] == ["arm64", "x86_64"]


# --- rights ---


def actions(statements, name):
    return {statement["Sid"]: statement["Action"] for statement in plain(statements[name])}


def test_the_functions_share_what_publishing_a_token_takes(statements):
    assert actions(statements, "PublisherPolicy") == {
        "ReadCredentials": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "PublishTokens": [
            "secretsmanager:GetSecretValue",
            "secretsmanager:DescribeSecret",
            "secretsmanager:ListSecretVersionIds",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        "UseKeyThroughSecretsManager": ["kms:Decrypt", "kms:GenerateDataKey"],
        "HoldLocks": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
        "JoinNetwork": [
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:DeleteNetworkInterface",
            "ec2:AssignPrivateIpAddresses",
            "ec2:UnassignPrivateIpAddresses",
        ],
    }


@FUNCTIONS
def test_each_function_has_a_role_of_its_own_that_writes_its_own_log(resources, statements, function):
    role = function.replace("Function", "Role")
    assert resources[function]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}
    assert resources[role]["Properties"]["ManagedPolicyArns"] == [{"Ref": "PublisherPolicy"}]
    (logs,) = [statement for statement in statements[role] if statement["Sid"] == "WriteLogs"]
    assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert logs["Resource"] == {"Fn::GetAtt": [function.replace("Function", "LogGroup"), "Arn"]}


def test_a_role_adds_to_what_is_shared_its_log_and_dead_letters(statements):
    logs = {"WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"]}
    assert actions(statements, "RotateRole") == logs
    assert actions(statements, "RenewRole") == logs | {"ReportFailures": "sqs:SendMessage"}


def test_schedules_may_invoke_rotate_and_keep_failed_handovers(statements):
    allowed = {found["Sid"]: (found["Action"], found["Resource"]) for found in statements["SchedulerRole"]}
    assert allowed == {
        "InvokeRotate": ("lambda:InvokeFunction", {"Fn::GetAtt": ["RotateFunction", "Arn"]}),
        "ReportFailures": ("sqs:SendMessage", {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}),
    }


def test_only_this_accounts_scheduler_may_take_the_schedules_role(resources):
    (trust,) = resources["SchedulerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize(("sid", "part"), [("ReadCredentials", "credentials"), ("PublishTokens", "token")])
def test_the_functions_reach_no_secrets_but_those_of_their_prefix(statements, sid, part):
    (statement,) = [statement for statement in plain(statements["PublisherPolicy"]) if statement["Sid"] == sid]
    wanted = (
        "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${SecretPrefix}"
        f"/*/{part}-??????"
    )
    assert {"Fn::Sub": wanted} in (
        statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    )


def test_no_statement_allows_every_action_or_every_resource(statements):
    assert len(statements) == 5
    for statement in plain([statement for found in statements.values() for statement in found]):
        assert statement["Effect"] == "Allow"
        assert "*" not in statement["Resource"] or statement["Sid"] == "JoinNetwork"
        for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
            assert "*" not in action


def test_a_key_is_used_through_secrets_manager_only(statements):
    """By either name that it has in China, where the suffix is another one."""
    keyed = [
        statement
        for statement in plain([statement for found in statements.values() for statement in found])
        if "kms" in str(statement["Action"])
    ]
    assert len(keyed) == 2
    names = [f"secretsmanager.${{AWS::Region}}.{suffix}" for suffix in ("${AWS::URLSuffix}", "amazonaws.com")]
    for statement in keyed:
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": [{"Fn::Sub": name} for name in names]}}


# If a managed policy's description changes, CloudFormation replaces the policy. The roles that had it lose their
# permissions, or the deployment fails because they still have it. So a change of these texts needs a note for users.
FROZEN = {
    "PublisherPolicy": "Lets the functions of talend-token read credentials and publish tokens, one run at a time.",
    "ConsumerPolicy": ("Lets a consumer read the account's Talend Cloud token and have it renewed, and nothing else."),
}


def test_the_descriptions_of_managed_policies_stay(every_template):
    found = {
        name: resource["Properties"]
        for stack in every_template.values()
        for name, resource in stack["Resources"].items()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
    }
    assert {name: properties["Description"] for name, properties in found.items()} == FROZEN
    # So would another name or path be.
    assert {name: properties.keys() for name, properties in found.items()} == {
        name: {"Description", "PolicyDocument"} for name in FROZEN
    }


def plain(statements):
    """The statements with every optional one included."""
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


# --- parameters and outputs ---


def test_the_template_is_read_in_a_sitting():
    assert len((ROOT / "template.yaml").read_text().splitlines()) < MOST_LINES


def test_the_alarm_address_is_subscribed_if_there_is_one(template, resources):
    subscription = resources["AlarmEmailSubscription"]
    assert subscription["Condition"] == "HasAlarmEmail"
    assert subscription["Properties"]["Endpoint"] == {"Ref": "AlarmEmail"}
    assert template["Parameters"]["AlarmEmail"]["Default"] == ""


def test_every_parameter_is_described_has_a_default_and_is_bounded(template):
    for name, parameter in template["Parameters"].items():
        assert 20 < len(parameter["Description"]) < 4000, name
        assert "Default" in parameter, name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), name


def test_the_defaults_are_the_documented_ones(template):
    defaults = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
    assert defaults == {
        "TalendApiUrl": "https://api.eu.cloud.talend.com",
        "ProbePath": "",
        "SecretPrefix": "talend-token",
        "ExistingCredentialsSecretArn": "",
        "KmsKeyArn": "",
        "ScheduleExpression": "rate(25 minutes)",
        "AlarmEmail": "",
        "LogRetentionDays": 30,
        "SubnetIds": "",
        "SecurityGroupIds": "",
        "PermissionsBoundaryArn": "",
    }


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


def test_the_outputs_that_others_rely_on_are_there(template):
    wanted = {
        "RotateFunctionName",
        "RenewFunctionName",
        "CredentialsSecretArn",
        "TokenSecretArn",
        "ConsumerPolicyArn",
        "ClientLayerArn",
        "DashboardName",
        "DeadLetterQueueUrl",
    }
    assert wanted <= template["Outputs"].keys()


def test_deploying_needs_no_question_and_rolls_back(samconfig):
    deploy = samconfig["default"]["deploy"]["parameters"]
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert (deploy["confirm_changeset"], deploy["disable_rollback"]) == (False, False)
