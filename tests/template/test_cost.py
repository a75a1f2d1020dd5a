"""The table of costs counts what the templates deploy. `test_monitoring.py` knows each alarm's period."""

import re
from collections import Counter

import cost


def test_resources_are_counted_as_they_are_deployed(every_template):
    """Each further account is a stack and the one in it."""
    kinds = {
        name: Counter(resource["Type"].removeprefix("AWS::") for resource in stack["Resources"].values())
        for name, stack in every_template.items()
    }
    main, shared, account = (kinds[name] for name in ("main", "Monitoring", "DefaultAccount"))
    assert account["SecretsManager::Secret"] == cost.SECRETS
    assert account["Scheduler::Schedule"] == cost.SCHEDULES
    assert account["CloudWatch::Alarm"] == cost.ALARMS
    assert (shared["CloudWatch::Alarm"], main["CloudWatch::Alarm"]) == (cost.SHARED_ALARMS, 0)
    assert shared["CloudWatch::Dashboard"] == 1
    limits = {limit.name: limit for limit in cost.LIMITS}
    stacks, policies = limits["CloudFormation stacks"], limits["managed policies"]
    assert stacks.taken(1) == 1 + main["CloudFormation::Stack"]
    assert stacks.taken(2) - stacks.taken(1) == 1 + kinds["account"]["CloudFormation::Stack"]
    assert policies.taken(1) == main["IAM::ManagedPolicy"] + account["IAM::ManagedPolicy"]
    assert policies.taken(2) - policies.taken(1) == account["IAM::ManagedPolicy"]


def test_runs_and_memory_are_counted_as_they_are_deployed(account_resources, template, resources):
    assert account_resources["Resources"]["Watchdog"]["Properties"]["ScheduleExpression"] == "rate(1 minute)"
    minutes = int(re.fullmatch(r"rate\((\d+) minutes\)", template["Parameters"]["ScheduleExpression"]["Default"])[1])
    assert (cost.DAYS * 1440, cost.DAYS * 1440 // minutes) == (cost.LOOKS, cost.ROTATIONS)
    assert resources["RotateFunction"]["Properties"]["MemorySize"] == cost.MEMORY_GB * 1024


def test_metrics_are_counted_as_they_are_written(metrics):
    assert len(metrics) == cost.STEADY_METRICS + cost.RARE_METRICS
