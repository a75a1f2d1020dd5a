"""The default account and one more are made by one template, which gets the main stack's resources.

`tests/e2e/test_accounts.py` deploys more accounts, and uses their secrets, schedules, policies and alarms.
"""

import re

import pytest

from template.conftest import ROOT


def given(stack, name):
    """Return what a stack hands to the template that it nests."""
    return stack["Resources"][name]["Properties"]["Parameters"]


def imports(value):
    """Return the names of all that a template imports, without the main stack's."""
    if isinstance(value, list):
        return {name for entry in value for name in imports(entry)}
    if not isinstance(value, dict):
        return set()
    if "Fn::ImportValue" in value:
        return {value["Fn::ImportValue"]["Fn::Sub"].removeprefix("${MainStack}-")}
    return {name for entry in value.values() for name in imports(entry)}


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


def test_all_that_is_imported_is_exported_and_never_changes(template, account, elsewhere):
    """CloudFormation refuses to change what is imported, so what an operator may change is not exported."""
    exported = {name: output for name, output in template["Outputs"].items() if "Export" in output}
    assert exported.keys() == imports(account) | imports(elsewhere)
    changeable = template["Parameters"].keys() - {"SecretPrefix"}
    for name, output in exported.items():
        assert output["Export"]["Name"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}
        assert output["Value"].get("Ref") not in changeable
    for stack in (account, elsewhere):
        assert f'stack_name = "{stack["Parameters"]["MainStack"]["Default"]}"' in (ROOT / "samconfig.toml").read_text()


@pytest.mark.parametrize("name", ["KmsKeyArn", "ScheduleExpression"])
def test_a_shared_parameter_has_the_main_stacks_bounds(account, template, name):
    bounds = ("Type", "Default", "AllowedPattern")
    ours, theirs = ({bound: stack["Parameters"][name].get(bound) for bound in bounds} for stack in (template, account))
    assert theirs == ours


def test_an_accounts_name_is_what_the_functions_accept(account, account_resources, elsewhere):
    patterns = {stack["Parameters"]["Account"]["AllowedPattern"] for stack in (account, account_resources, elsewhere)}
    (pattern,) = patterns
    assert f're.compile(r"{pattern}")' in (ROOT / "functions" / "rotator" / "domain" / "event.py").read_text()
    (rule,) = account["Rules"]["DefaultIsTheMainStacks"]["Assertions"]
    assert rule["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Account"}, "default"]}]}
