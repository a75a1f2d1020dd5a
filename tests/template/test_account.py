"""An account is two secrets, two schedules, three alarms and a policy, whether it is the default one or one more."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRETS = {"credentials": "CredentialsSecret", "token": "TokenSecret"}
SCHEDULES = {"schedule": "Schedule", "watchdog": "Watchdog"}
# A token is valid for 30 minutes and replaced every 25: what comes later than this comes too late.
MARGIN_SECONDS = 300


@pytest.fixture(scope="module")
def owned(account_resources):
    """The properties of the account's resources."""
    return {name: resource["Properties"] for name, resource in account_resources["Resources"].items()}


def given(stack, name):
    """What a stack hands to the template that it nests."""
    return stack["Resources"][name]["Properties"]["Parameters"]


def imports(value):
    """The names of all that a template imports, without the main stack's."""
    if isinstance(value, list):
        return {name for entry in value for name in imports(entry)}
    if not isinstance(value, dict):
        return set()
    if "Fn::ImportValue" in value:
        return {value["Fn::ImportValue"]["Fn::Sub"].removeprefix("${MainStack}-")}
    return {name for entry in value.values() for name in imports(entry)}


# --- one template for the default account and for one more ---


def test_both_stacks_nest_the_same_template():
    """`sam build` and `sam deploy` put another address in the place of the path, so the sources are read."""
    sources = [(ROOT / name).read_text() for name in ("template.yaml", "infra/account.yaml")]
    nests = [re.search(r"TemplateURL: (\S*account-resources.yaml)", source)[1] for source in sources]
    assert nests == ["infra/account-resources.yaml", "account-resources.yaml"]


def test_both_stacks_own_nothing_of_an_account_themselves(account, template):
    assert account["Resources"].keys() == {"Resources"}
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert not kinds & {"AWS::SecretsManager::Secret", "AWS::Scheduler::Schedule", "AWS::CloudWatch::Alarm"}


def test_the_default_account_gets_the_main_stacks_resources(template, account_resources):
    parameters = given(template, "DefaultAccount")
    assert parameters == {
        "Account": "default",
        "MainStack": {"Ref": "AWS::StackName"},
        "SecretPrefix": {"Ref": "SecretPrefix"},
        "ExistingCredentialsSecretArn": {"Ref": "ExistingCredentialsSecretArn"},
        "KmsKeyArn": {"Ref": "KmsKeyArn"},
        "ScheduleExpression": {"Ref": "ScheduleExpression"},
        "RotateFunctionArn": {"Fn::GetAtt": ["RotateFunction", "Arn"]},
        "RenewFunctionArn": {"Fn::GetAtt": ["RenewFunction", "Arn"]},
        "SchedulerRoleArn": {"Fn::GetAtt": ["SchedulerRole", "Arn"]},
        "DeadLetterQueueArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]},
        "AlarmTopicArn": {"Ref": "AlarmTopic"},
    }
    assert parameters.keys() == account_resources["Parameters"].keys()


def test_one_more_account_gets_the_same_by_import(template, account, account_resources):
    parameters = given(account, "Resources")
    for name, value in parameters.items():
        imported = {"Fn::ImportValue": {"Fn::Sub": f"${{MainStack}}-{name}"}}
        assert value in (imported, {"Ref": name}), name
        if value == imported and name != "SecretPrefix":
            assert template["Outputs"][name]["Value"] == given(template, "DefaultAccount")[name], name
    assert account_resources["Parameters"].keys() - parameters.keys() == {"ExistingCredentialsSecretArn"}


def test_all_that_is_imported_is_exported_by_the_main_stack(template, account, elsewhere):
    exported = {name: output["Export"]["Name"] for name, output in template["Outputs"].items() if "Export" in output}
    wanted = imports(account) | imports(elsewhere)
    assert exported == {name: {"Fn::Sub": f"${{AWS::StackName}}-{name}"} for name in wanted}
    samconfig = (ROOT / "samconfig.toml").read_text()
    for stack in (account, elsewhere):
        assert f'stack_name = "{stack["Parameters"]["MainStack"]["Default"]}"' in samconfig


def test_what_is_exported_never_changes_while_it_is_imported(template):
    """CloudFormation refuses an update that changes it, so what an operator may change is no export."""
    changeable = {"KmsKeyArn", "ScheduleExpression", "AlarmEmail", "LogRetentionDays", "TalendApiUrl", "ProbePath"}
    exported = [output["Value"] for output in template["Outputs"].values() if "Export" in output]
    assert not [value for value in exported if value.get("Ref") in changeable]


@pytest.mark.parametrize("name", ["KmsKeyArn", "ScheduleExpression"])
def test_a_shared_parameter_has_the_main_stacks_bounds(account, template, name):
    bounds = ("Type", "Default", "AllowedPattern")
    ours, theirs = ({bound: stack["Parameters"][name].get(bound) for bound in bounds} for stack in (template, account))
    assert theirs == ours


def test_only_the_accounts_name_has_to_be_given(account):
    without_default = [name for name, parameter in account["Parameters"].items() if "Default" not in parameter]
    assert without_default == ["Account"]
    for name, parameter in account["Parameters"].items():
        assert len(parameter["Description"]) > 20, name


def test_an_accounts_name_is_what_the_functions_accept(account, account_resources, elsewhere):
    patterns = {stack["Parameters"]["Account"]["AllowedPattern"] for stack in (account, account_resources, elsewhere)}
    (pattern,) = patterns
    assert f're.compile(r"{pattern}")' in (ROOT / "functions" / "rotator" / "domain" / "event.py").read_text()
    assert [name for name in ("Sales", "", "-a", "a_b", "a" * 64) if re.fullmatch(pattern, name)] == []


def test_the_default_account_is_left_to_the_main_stack(account):
    (assertion,) = account["Rules"]["DefaultIsTheMainStacks"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Account"}, "default"]}]}


def test_an_accounts_outputs_are_the_nested_stacks(account, template, account_resources):
    names = {"CredentialsSecretArn", "TokenSecretArn", "ConsumerPolicyArn"}
    assert account["Outputs"].keys() == names
    for stack, logical_id in ((account, "Resources"), (template, "DefaultAccount")):
        for name in names:
            assert stack["Outputs"][name]["Value"] == {"Fn::GetAtt": [logical_id, f"Outputs.{name}"]}
    assert names < account_resources["Outputs"].keys()


# --- its secrets ---


@pytest.mark.parametrize(("part", "name"), SECRETS.items())
def test_secrets_are_named_by_prefix_account_and_part(owned, part, name):
    assert owned[name]["Name"] == {"Fn::Sub": f"${{SecretPrefix}}/${{Account}}/{part}"}


@pytest.mark.parametrize("name", SECRETS.values())
def test_cloudformation_never_writes_a_secrets_value(owned, name):
    assert not {"SecretString", "GenerateSecretString"} & owned[name].keys()


@pytest.mark.parametrize("name", SECRETS.values())
def test_secrets_outlive_all_but_a_failed_creation(account_resources, name):
    secret = account_resources["Resources"][name]
    assert (secret["DeletionPolicy"], secret["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


@pytest.mark.parametrize("name", SECRETS.values())
def test_a_customer_managed_key_is_used_where_one_is_given(owned, account_resources, name):
    assert owned[name]["KmsKeyId"] == {"Fn::If": ["HasKmsKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}
    assert account_resources["Conditions"]["HasKmsKey"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]}


def test_no_credentials_secret_is_created_where_one_exists(account_resources):
    assert account_resources["Resources"]["CredentialsSecret"]["Condition"] == "CreatesCredentialsSecret"
    existing = {"Ref": "ExistingCredentialsSecretArn"}
    assert account_resources["Conditions"]["CreatesCredentialsSecret"] == {"Fn::Equals": [existing, ""]}
    created = {"Fn::GetAtt": ["CredentialsSecret", "Id"]}
    output = account_resources["Outputs"]["CredentialsSecretArn"]["Value"]
    assert output == {"Fn::If": ["CreatesCredentialsSecret", created, existing]}


# --- its schedules ---


@pytest.mark.parametrize(("trigger", "name"), SCHEDULES.items())
def test_a_schedule_invokes_rotate_for_its_account(owned, trigger, name):
    schedule = owned[name]
    target = schedule["Target"]
    assert json.loads(target["Input"]["Fn::Sub"]) == {"trigger": trigger, "account": "${Account}"}
    assert (target["Arn"], target["RoleArn"]) == ({"Ref": "RotateFunctionArn"}, {"Ref": "SchedulerRoleArn"})
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert "State" not in schedule
    # Two stacks in one AWS account and Region would collide on it.
    assert "Name" not in schedule


def test_the_schedule_is_a_parameter_and_the_watchdog_is_not(owned):
    assert owned["Schedule"]["ScheduleExpression"] == {"Ref": "ScheduleExpression"}
    assert owned["Watchdog"]["ScheduleExpression"] == "rate(1 minute)"


def test_a_tick_is_handed_over_within_the_margin_or_kept(owned):
    target = owned["Schedule"]["Target"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] < MARGIN_SECONDS
    assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
    assert target["DeadLetterConfig"] == {"Arn": {"Ref": "DeadLetterQueueArn"}}


def test_the_watchdogs_next_tick_is_its_retry(owned):
    target = owned["Watchdog"]["Target"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    assert "DeadLetterConfig" not in target


# --- its consumers ---


def test_consumers_may_read_the_token_and_renew_it_and_nothing_else(owned):
    read, renew, decrypt = owned["ConsumerPolicy"]["PolicyDocument"]["Statement"]
    assert (read["Action"], read["Resource"]) == (
        ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        {"Fn::GetAtt": ["TokenSecret", "Id"]},
    )
    assert (renew["Action"], renew["Resource"]) == ("lambda:InvokeFunction", {"Ref": "RenewFunctionArn"})
    condition, statement, _ = decrypt["Fn::If"]
    assert condition == "HasKmsKey"
    assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", {"Ref": "KmsKeyArn"})
