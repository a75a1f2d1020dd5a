"""What the table of costs counts is what the templates deploy."""

import re
from collections import Counter
from pathlib import Path

import pytest

import cost

MONITORING = "Monitoring"
TELEMETRY = Path(__file__).parents[2] / "functions" / "rotator" / "adapters" / "telemetry.py"


@pytest.fixture(scope="module")
def deployed(nested):
    """Return how many resources of each type a nested stack has, by the stack's logical id."""
    return {
        name: Counter(resource["Type"] for resource in stack["Resources"].values()) for name, stack in nested.items()
    }


def test_an_account_is_counted_as_it_is_deployed(deployed):
    account = deployed["DefaultAccount"]
    assert account["AWS::SecretsManager::Secret"] == cost.SECRETS
    assert account["AWS::Scheduler::Schedule"] == cost.SCHEDULES
    assert account["AWS::CloudWatch::Alarm"] == cost.ALARMS


def test_what_all_accounts_share_is_counted_as_it_is_deployed(deployed, resources):
    assert deployed[MONITORING]["AWS::CloudWatch::Alarm"] == cost.SHARED_ALARMS
    assert deployed[MONITORING]["AWS::CloudWatch::Dashboard"] == 1
    assert Counter(resource["Type"] for resource in resources.values())["AWS::CloudWatch::Alarm"] == 0


def test_an_alarm_costs_as_one_metric_of_the_usual_resolution(alarms):
    """One below a minute, on an expression, or on other alarms costs more."""
    for name, alarm in alarms.items():
        assert alarm["Period"] % 60 == 0, name
        assert not {"Metrics", "AlarmRule", "ThresholdMetricId", "ExtendedStatistic"} & alarm.keys(), name


def test_schedules_and_functions_are_counted_as_they_are_deployed(account_resources, template, resources):
    assert account_resources["Resources"]["Watchdog"]["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    minutes = int(re.fullmatch(r"rate\((\d+) minutes\)", template["Parameters"]["ScheduleExpression"]["Default"])[1])
    assert (cost.DAYS * 1440, cost.DAYS * 1440 // minutes) == (cost.LOOKS, cost.ROTATIONS)
    assert resources["RotateFunction"]["Properties"]["MemorySize"] == cost.MEMORY_GB * 1024


def test_stacks_and_policies_are_counted_as_they_are_deployed(every_template):
    """Each further account is a stack and the one in it."""
    limits = {limit.name: limit for limit in cost.LIMITS}
    kinds = {name: Counter(r["Type"] for r in stack["Resources"].values()) for name, stack in every_template.items()}
    stacks, policies = limits["CloudFormation stacks"], limits["managed policies"]
    assert stacks.taken(1) == 1 + kinds["main"]["AWS::CloudFormation::Stack"]
    assert stacks.taken(2) - stacks.taken(1) == 1 + kinds["account"]["AWS::CloudFormation::Stack"]
    main, account = (kinds[name]["AWS::IAM::ManagedPolicy"] for name in ("main", "DefaultAccount"))
    assert (policies.taken(1), policies.taken(2)) == (main + account, main + 2 * account)


def test_metrics_are_counted_as_they_are_written():
    written = re.findall(r'^ +"([A-Z][A-Za-z]+)": ', TELEMETRY.read_text(), re.MULTILINE)
    assert len(written) == cost.STEADY_METRICS + cost.RARE_METRICS
