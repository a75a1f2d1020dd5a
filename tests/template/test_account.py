"""One more account is two secrets, two schedules, alarms and a policy, as the default account has them."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = {"credentials": "CredentialsSecret", "token": "TokenSecret"}
SCHEDULES = {"schedule": ("Schedule", "RotateFunctionSchedule"), "watchdog": ("Watchdog", "RotateFunctionWatchdog")}


def properties(stack, name):
    return stack["Resources"][name]["Properties"]


def imported(name):
    return {"Fn::ImportValue": {"Fn::Sub": f"${{MainStack}}-{name}"}}


def imports(value):
    """The names of all that a template imports, without the main stack's."""
    if isinstance(value, list):
        return {name for entry in value for name in imports(entry)}
    if not isinstance(value, dict):
        return set()
    if "Fn::ImportValue" in value:
        return {value["Fn::ImportValue"]["Fn::Sub"].removeprefix("${MainStack}-")}
    return {name for entry in value.values() for name in imports(entry)}


def test_all_that_is_imported_is_exported_by_the_main_stack(template, account):
    exported = {name: output["Export"]["Name"] for name, output in template["Outputs"].items() if "Export" in output}
    assert exported == {name: {"Fn::Sub": f"${{AWS::StackName}}-{name}"} for name in imports(account)}
    samconfig = (ROOT / "samconfig.toml").read_text()
    assert f'stack_name = "{account["Parameters"]["MainStack"]["Default"]}"' in samconfig


@pytest.mark.parametrize(("part", "name"), NAMED.items())
def test_the_secrets_are_those_that_the_functions_look_for(account, template, part, name):
    secret = properties(account, name)
    assert secret["Name"] == {"Fn::Sub": [f"${{Prefix}}/${{Account}}/{part}", {"Prefix": imported("SecretPrefix")}]}
    assert secret["KmsKeyId"] == properties(template, name)["KmsKeyId"]
    assert secret["Description"] == properties(template, name)["Description"]


@pytest.mark.parametrize("name", NAMED.values())
def test_the_secrets_are_never_written_by_cloudformation_and_outlive_the_stack(account, name):
    secret = account["Resources"][name]
    assert not {"SecretString", "GenerateSecretString"} & secret["Properties"].keys()
    assert secret["DeletionPolicy"] == secret["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize(("trigger", "names"), SCHEDULES.items())
def test_a_schedule_is_the_default_accounts_with_another_account(account, template, trigger, names):
    theirs, ours = properties(account, names[0]), properties(template, names[1])
    target = theirs["Target"]
    assert json.loads(target["Input"]["Fn::Sub"]) == {"trigger": trigger, "account": "${Account}"}
    assert target["Arn"] == imported("RotateFunctionArn")
    assert target["RoleArn"] == imported("SchedulerRoleArn")
    assert target["RetryPolicy"] == ours["Target"]["RetryPolicy"]
    assert ("DeadLetterConfig" in target) == ("DeadLetterConfig" in ours["Target"])
    for name in ("ScheduleExpression", "State", "FlexibleTimeWindow"):
        assert theirs.get(name) == ours.get(name), name
    assert "Name" not in theirs


def test_what_a_schedule_could_not_hand_over_is_kept_with_the_main_stacks(account):
    assert properties(account, "Schedule")["Target"]["DeadLetterConfig"] == {"Arn": imported("DeadLetterQueueArn")}


def test_the_alarms_are_the_default_accounts_with_another_account(account, template):
    alarms = properties(account, "Alarms")
    assert alarms["TemplateURL"] == "account-alarms.yaml"
    assert alarms["Parameters"] == properties(template, "AccountAlarms")["Parameters"] | {
        "Account": {"Ref": "Account"},
        "AlarmTopicArn": imported("AlarmTopicArn"),
    }


def test_consumers_may_read_this_accounts_token_and_have_it_renewed_and_nothing_else(account, template):
    ours, theirs = (properties(stack, "ConsumerPolicy")["PolicyDocument"]["Statement"] for stack in (template, account))
    read, renew, decrypt = theirs
    assert read == ours[0] | {"Resource": {"Fn::GetAtt": ["TokenSecret", "Id"]}}
    assert renew == ours[1] | {"Resource": imported("RenewFunctionArn")}
    assert decrypt == ours[2]


SHARED = ["KmsKeyArn", "ConsumerPrincipals", "ScheduleExpression", "WatchdogExpression", "WatchdogState"]


@pytest.mark.parametrize("name", [*SHARED, "AlarmBelowSeconds"])
def test_a_parameter_of_the_main_stacks_name_has_its_default_and_its_bounds(account, template, name):
    bounds = ("Type", "Default", "AllowedPattern", "AllowedValues", "MinValue", "MaxValue")
    ours, theirs = ({bound: stack["Parameters"][name].get(bound) for bound in bounds} for stack in (template, account))
    assert theirs == ours


def test_only_the_accounts_name_has_to_be_given(account):
    without_default = [name for name, parameter in account["Parameters"].items() if "Default" not in parameter]
    assert without_default == ["Account"]
    for name, parameter in account["Parameters"].items():
        assert len(parameter["Description"]) > 20, name


@pytest.mark.parametrize("stack", ["account.yaml", "account-alarms.yaml"])
def test_an_accounts_name_is_what_the_functions_accept(account, nested, stack):
    parameters = (account if stack == "account.yaml" else nested["AccountAlarms"])["Parameters"]
    pattern = parameters["Account"]["AllowedPattern"]
    assert f're.compile(r"{pattern}")' in (ROOT / "functions" / "rotator" / "event.py").read_text()
    assert [name for name in ("Sales", "", "-a", "a_b", "a" * 64) if re.fullmatch(pattern, name)] == []


def test_the_default_account_is_left_to_the_main_stack(account):
    (assertion,) = account["Rules"]["DefaultIsTheMainStacks"]["Assertions"]
    assert assertion["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Account"}, "default"]}]}


def test_the_outputs_are_named_as_the_main_stacks(account, template):
    assert account["Outputs"].keys() == {"CredentialsSecretArn", "TokenSecretArn", "ConsumerPolicyArn"}
    assert account["Outputs"].keys() <= template["Outputs"].keys()


def test_the_description_holds_the_command_that_deploys_it(account):
    assert account["Description"].endswith(
        "sam deploy --template-file infra/account.yaml --stack-name talend-token-NAME "
        "--parameter-overrides Account=NAME"
    )
