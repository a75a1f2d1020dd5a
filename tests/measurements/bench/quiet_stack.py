"""The project's stack, deployed to a local AWS so that it does nothing unless it is asked."""

from __future__ import annotations

from bench.measurement import progress
from demo.deployment import BUILT, Stack, deploy, switch_schedule
from local_aws import LocalAWS
from talend_simulator import TalendSimulator


def deploy_quiet_stack(aws: LocalAWS, talend: TalendSimulator) -> Stack:
    """The stack, without a schedule that would meddle; `make bench` has built it."""
    progress("sam deploy")
    # So rare a schedule leaves versions for what is measured.
    parameters = {"TalendApiUrl": talend.url, "SecretPrefix": "talend", "ScheduleExpression": "rate(1 day)"}
    stack = deploy(aws, BUILT, parameters)
    for schedule in ("Schedule", "Watchdog"):
        switch_schedule(aws, schedule, "DISABLED")
    return stack
