"""Deploys the project's stack to a local AWS so that it does nothing unless it is asked."""

from __future__ import annotations

from bench.measurement import progress
from demo.deployment import BUILT, Stack, deploy, switch_schedule
from local_aws import LocalAWS
from talend_simulator import TalendSimulator


def deploy_quiet_stack(aws: LocalAWS, talend: TalendSimulator) -> Stack:
    """Deploy the built stack, and disable its schedules."""
    progress("sam deploy")
    # So rare a schedule leaves the day's versions to the measurement.
    parameters = {"TalendApiUrl": talend.url, "SecretPrefix": "talend", "ScheduleExpression": "rate(1 day)"}
    stack = deploy(aws, BUILT, parameters)
    for schedule in ("Schedule", "Watchdog"):
        switch_schedule(aws, schedule, "DISABLED")
    return stack
