"""What must hold in production, held against the built and expanded template."""

import json
import re

import pytest

# A token lives 30 minutes and is replaced every 25: what comes later than this comes too late.
MARGIN_SECONDS = 300
LIVE_SECRETS = ["CredentialsSecret", "TokenSecret"]


def default(template, parameter):
    return template["Parameters"][parameter]["Default"]


def environment(resources, function="RotateFunction"):
    return resources[function]["Properties"]["Environment"]["Variables"]


FUNCTIONS = pytest.mark.parametrize("function", ["RotateFunction", "RenewFunction"])


# --- secrets ---


@pytest.mark.parametrize("name", LIVE_SECRETS)
def test_cloudformation_never_writes_a_secrets_value(resources, name):
    assert not {"SecretString", "GenerateSecretString"} & resources[name]["Properties"].keys()


@pytest.mark.parametrize("name", LIVE_SECRETS)
def test_secrets_outlive_the_stack(resources, name):
    assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(("name", "part"), [("CredentialsSecret", "credentials"), ("TokenSecret", "token")])
def test_secrets_are_named_by_prefix_account_and_part(resources, name, part):
    assert resources[name]["Properties"]["Name"] == {"Fn::Sub": f"${{SecretPrefix}}/default/{part}"}


@pytest.mark.parametrize("name", LIVE_SECRETS)
def test_a_customer_managed_key_is_used_where_one_is_given(resources, name):
    key = resources[name]["Properties"]["KmsKeyId"]
    assert key == {"Fn::If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}


def test_no_credentials_secret_is_created_where_one_exists(template, resources):
    assert resources["CredentialsSecret"]["Condition"] == "CreatesCredentialsSecret"
    assert template["Conditions"]["CreatesCredentialsSecret"] == {
        "Fn::Equals": [{"Ref": "ExistingCredentialsSecretArn"}, ""]
    }
    assert environment(resources)["CREDENTIALS_SECRET"] == {"Ref": "ExistingCredentialsSecretArn"}


# --- the functions and the schedule ---


@FUNCTIONS
def test_a_function_runs_on_the_documented_runtime(template, resources, function):
    properties = resources[function]["Properties"]
    handler = f"{function.removesuffix('Function').lower()}.handler"
    assert (properties["Runtime"], properties["Handler"]) == ("python3.13", handler)
    assert properties["Architectures"] == [{"Ref": "Architecture"}]
    assert default(template, "Architecture") == "arm64"


def test_renew_has_more_of_a_processor_than_rotate_as_consumers_wait_for_it(resources):
    assert resources["RotateFunction"]["Properties"]["MemorySize"] == 256
    assert resources["RenewFunction"]["Properties"]["MemorySize"] == 1024


@FUNCTIONS
def test_a_function_has_all_the_settings_that_it_reads(resources, function):
    assert environment(resources, function) == {
        "SECRET_PREFIX": {"Ref": "SecretPrefix"},
        "TALEND_ENVIRONMENT": {"Ref": "TalendEnvironment"},
        "TALEND_API_URL": {"Ref": "TalendApiUrl"},
        "MINIMUM_TOKEN_LIFE_SECONDS": {"Ref": "MinimumTokenLifeSeconds"},
        "CREDENTIALS_SECRET": {"Ref": "ExistingCredentialsSecretArn"},
        "PROBE_PATH": {"Ref": "ProbePath"},
        "SCHEDULE_EXPRESSION": {"Ref": "ScheduleExpression"},
        "LOCK_TABLE": {"Ref": "LockTable"},
    }


def test_both_functions_share_the_lock_table_which_forgets_by_itself(resources):
    for function in ("RotateFunction", "RenewFunction"):
        assert environment(resources, function)["LOCK_TABLE"] == {"Ref": "LockTable"}
    table = resources["LockTable"]["Properties"]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expiration", "Enabled": True}


def test_renew_answers_before_its_callers_sdk_gives_up(resources):
    # botocore's read_timeout is 60 s by default; then it would invoke again.
    assert resources["RenewFunction"]["Properties"]["Timeout"] < 60


def test_a_rejection_reported_by_event_invokes_renew_if_it_is_wanted(template, resources):
    rule = resources["RenewFunctionRejected"]["Properties"]
    assert rule["EventPattern"] == {"detail-type": ["Talend Token Rejected"]}
    assert rule["State"] == {"Ref": "RenewOnEvent"}
    assert default(template, "RenewOnEvent") == "DISABLED"
    permission = resources["RenewFunctionRejectedPermission"]["Properties"]
    assert permission["Principal"] == "events.amazonaws.com"


def test_the_schedule_fires_every_25_minutes_exactly_and_names_its_trigger(template, resources):
    schedule = resources["RotateFunctionSchedule"]["Properties"]
    assert default(template, "ScheduleExpression") == "rate(25 minutes)"
    assert schedule["ScheduleExpression"] == {"Ref": "ScheduleExpression"}
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert json.loads(schedule["Target"]["Input"]) == {"trigger": "schedule", "account": "default"}


def test_the_watchdog_looks_each_minute_unless_it_is_turned_off(template, resources):
    watchdog = resources["RotateFunctionWatchdog"]["Properties"]
    assert (default(template, "WatchdogExpression"), default(template, "WatchdogState")) == (
        "rate(1 minute)",
        "ENABLED",
    )
    assert watchdog["ScheduleExpression"] == {"Ref": "WatchdogExpression"}
    assert watchdog["State"] == {"Ref": "WatchdogState"}
    assert watchdog["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert watchdog["Target"]["Arn"] == {"Fn::GetAtt": ["RotateFunction", "Arn"]}
    assert json.loads(watchdog["Target"]["Input"]) == {"trigger": "watchdog", "account": "default"}


def test_the_next_tick_of_the_watchdog_is_the_retry_of_one_that_was_not_handed_over(resources):
    target = resources["RotateFunctionWatchdog"]["Properties"]["Target"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    assert "DeadLetterConfig" not in target


@pytest.mark.parametrize("schedule", ["RotateFunctionSchedule", "RotateFunctionWatchdog"])
def test_two_stacks_in_one_account_do_not_collide_on_the_schedules_name(resources, schedule):
    assert "Name" not in resources[schedule]["Properties"]


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


def test_a_tick_is_handed_over_within_the_margin_or_kept_for_a_person(resources):
    target = resources["RotateFunctionSchedule"]["Properties"]["Target"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] < MARGIN_SECONDS
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert target["DeadLetterConfig"]["Arn"] == {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}


def test_a_failed_rotation_is_repeated_by_the_watchdog_or_by_lambda_and_not_by_both(template, resources):
    config = resources["RotateFunctionEventInvokeConfig"]["Properties"]
    assert config["MaximumRetryAttempts"] == {"Fn::If": ["HasWatchdog", 0, 2]}
    assert template["Conditions"]["HasWatchdog"] == {"Fn::Equals": [{"Ref": "WatchdogState"}, "ENABLED"]}


def test_a_failed_renewal_by_event_is_repeated_by_lambda(resources):
    assert resources["RenewFunctionEventInvokeConfig"]["Properties"]["MaximumRetryAttempts"] == 2


@FUNCTIONS
def test_a_run_that_is_given_up_is_given_up_within_the_margin_and_kept_for_a_person(resources, function):
    config = resources[f"{function}EventInvokeConfig"]["Properties"]
    assert config["MaximumEventAgeInSeconds"] < MARGIN_SECONDS
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


# --- rights ---


def actions(statements, name):
    return {statement["Sid"]: statement["Action"] for statement in plain(statements[name])}


def test_the_functions_share_what_publishing_a_token_takes_and_nothing_else(statements):
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
        "TellOfRotations": "events:PutEvents",
        "HoldLocks": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"],
        "ReportFailures": "sqs:SendMessage",
    }


@FUNCTIONS
def test_each_function_has_a_role_of_its_own_that_writes_its_own_log(resources, statements, function):
    role = function.replace("Function", "Role")
    assert resources[function]["Properties"]["Role"] == {"Fn::GetAtt": [role, "Arn"]}
    assert resources[role]["Properties"]["ManagedPolicyArns"] == [{"Ref": "PublisherPolicy"}]
    (logs,) = [statement for statement in statements[role] if statement["Sid"] == "WriteLogs"]
    assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert logs["Resource"] == {"Fn::GetAtt": [function.replace("Function", "LogGroup"), "Arn"]}


@pytest.mark.parametrize("role", ["RotateRole", "RenewRole"])
def test_a_function_may_do_nothing_that_the_other_may_not_but_write_its_log(statements, role):
    assert actions(statements, role) == {"WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"]}


def test_rotations_are_told_on_the_default_event_bus_and_no_other(statements):
    (statement,) = [found for found in plain(statements["PublisherPolicy"]) if found["Sid"] == "TellOfRotations"]
    assert statement["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
    }


@pytest.mark.parametrize("schedule", ["RotateFunctionSchedule", "RotateFunctionWatchdog"])
def test_schedules_may_invoke_rotate_and_keep_what_they_could_not_hand_over(resources, statements, schedule):
    assert resources[schedule]["Properties"]["Target"]["RoleArn"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]}
    allowed = {found["Sid"]: (found["Action"], found["Resource"]) for found in statements["SchedulerRole"]}
    assert allowed == {
        "InvokeRotate": ("lambda:InvokeFunction", {"Fn::GetAtt": ["RotateFunction", "Arn"]}),
        "ReportFailures": ("sqs:SendMessage", {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}),
    }


def test_only_this_accounts_scheduler_may_take_the_schedules_role(resources):
    (trust,) = resources["SchedulerRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_consumers_may_read_the_token_and_have_it_renewed_and_nothing_else(statements):
    allowed = {
        statement["Sid"]: (statement["Action"], statement["Resource"])
        for statement in plain(statements["ConsumerPolicy"])
    }
    assert allowed == {
        "ReadToken": (
            ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            [
                {"Fn::GetAtt": ["TokenSecret", "Id"]},
                {"Fn::If": ["HasReplica", {"Fn::Sub": REPLICA_ARN}, {"Ref": "AWS::NoValue"}]},
            ],
        ),
        "RenewToken": ("lambda:InvokeFunction", {"Fn::GetAtt": ["RenewFunction", "Arn"]}),
        "DecryptThroughSecretsManager": ("kms:Decrypt", {"Ref": "KmsKeyArn"}),
        "DecryptReplicaThroughSecretsManager": ("kms:Decrypt", {"Ref": "ReplicaKmsKeyArn"}),
    }


REPLICA_ARN = (
    "arn:${AWS::Partition}:secretsmanager:${ReplicaRegion}:${AWS::AccountId}"
    ":secret:${SecretPrefix}/default/token-??????"
)


@pytest.mark.parametrize(("sid", "part"), [("ReadCredentials", "credentials"), ("PublishTokens", "token")])
def test_the_functions_reach_the_secrets_under_their_prefix_and_no_others(statements, sid, part):
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
        assert "*" not in statement["Resource"]
        for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
            assert "*" not in action


def test_a_key_is_used_through_secrets_manager_only(statements):
    keyed = [
        statement
        for statement in plain([statement for found in statements.values() for statement in found])
        if "kms" in str(statement["Action"])
    ]
    assert len(keyed) == 3
    for statement in keyed:
        region = "ReplicaRegion" if statement["Sid"].startswith("DecryptReplica") else "AWS::Region"
        assert statement["Condition"] == {
            "StringEquals": {"kms:ViaService": {"Fn::Sub": f"secretsmanager.${{{region}}}.${{AWS::URLSuffix}}"}}
        }


def plain(statements):
    """The statements with every optional one included."""
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


# --- alarms ---


def test_the_alarm_address_is_subscribed_if_there_is_one(template, resources):
    subscription = resources["AlarmEmailSubscription"]
    assert subscription["Condition"] == "HasAlarmEmail"
    assert subscription["Properties"]["Endpoint"] == {"Ref": "AlarmEmail"}
    assert default(template, "AlarmEmail") == ""


# --- parameters and outputs ---


def test_every_parameter_is_described_has_a_default_and_is_bounded(template):
    for name, parameter in template["Parameters"].items():
        assert 20 < len(parameter["Description"]) < 4000, name
        assert "Default" in parameter, name
        assert {"AllowedPattern", "AllowedValues", "MinValue"} & parameter.keys(), name


def test_the_defaults_are_the_documented_ones(template):
    defaults = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}
    assert defaults == {
        "TalendEnvironment": "eu",
        "TalendApiUrl": "",
        "ProbePath": "",
        "MinimumTokenLifeSeconds": 60,
        "SecretPrefix": "talend",
        "ExistingCredentialsSecretArn": "",
        "KmsKeyArn": "",
        "ConsumerPrincipals": "",
        "ReplicaRegion": "",
        "ReplicaKmsKeyArn": "",
        "ScheduleExpression": "rate(25 minutes)",
        "WatchdogExpression": "rate(1 minute)",
        "WatchdogState": "ENABLED",
        "RenewOnEvent": "DISABLED",
        "AlarmEmail": "",
        "AlarmBelowSeconds": 180,
        "RenewalStormThreshold": 60,
        "LogRetentionDays": 30,
        "Architecture": "arm64",
    }


def test_every_parameter_is_shown_in_one_group(template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sorted(name for group in groups for name in group["Parameters"]) == sorted(template["Parameters"])


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:mine-a1b2c3"
ROLE = "arn:aws:iam::210987654321:role/team/consumer"


@pytest.mark.parametrize(
    ("parameter", "accepted", "refused"),
    [
        ("TalendEnvironment", ["eu", "us-west"], ["", "EU", "eu/", "-eu"]),
        (
            "TalendApiUrl",
            ["", "https://api.eu.cloud.talend.com", "https://proxy.example:8443/talend", "http://127.0.0.1:8080"],
            [
                "http://api.eu.cloud.talend.com",
                "http://127.0.0.1.evil.example",
                "https://me@host",
                "https://h?x",
                "ftp://h",
            ],
        ),
        ("ProbePath", ["", "/", "/tmc/v1.2/environments?limit=1"], ["tmc", "https://h/", "/a b"]),
        ("SecretPrefix", ["talend", "team/talend"], ["", "/talend", "talend/", "tal end", "tal*"]),
        ("ConsumerPrincipals", ["", "210987654321", f"210987654321,{ROLE}"], ["*", "1", f"{ROLE}, {ROLE}", f"{ROLE},"]),
        ("ReplicaRegion", ["", "eu-west-1", "us-gov-east-1"], ["eu-west", "EU-WEST-1", "eu-west-1a"]),
        ("ReplicaKmsKeyArn", ["", "arn:aws:kms:us-east-1:123456789012:key/x"], ["arn:aws:kms:us-east-1:1:key/x", "x"]),
        ("WatchdogExpression", ["rate(1 minute)", "rate(5 minutes)"], ["", "rate(6 minutes)", "cron(* * * * ? *)"]),
        ("ExistingCredentialsSecretArn", ["", ARN], ["mine", ARN.replace("secretsmanager", "ssm")]),
        ("KmsKeyArn", ["", "arn:aws:kms:eu-west-1:123456789012:key/x"], ["arn:aws:kms:eu-west-1:123456789012:alias/x"]),
        ("ScheduleExpression", ["rate(25 minutes)", "cron(0 * * * ? *)"], ["25 minutes", "at(2026-11-23T00:00:00)"]),
        ("AlarmEmail", ["", "ops@example.com"], ["ops", "a b@example.com"]),
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
