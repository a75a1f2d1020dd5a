"""The project's stack, deployed to a local AWS so that it does nothing unless it is asked."""

from __future__ import annotations

from bench.measurement import progress
from demo.deployment import ROOT, Stack, deploy
from local_aws import LocalAWS
from talend_simulator import TalendSimulator


def deploy_quiet_stack(aws: LocalAWS, talend: TalendSimulator) -> Stack:
    """The stack, without a schedule that would meddle; `make bench` has built it."""
    progress("sam deploy")
    parameters = {
        "TalendApiUrl": talend.url,
        "MinimumTokenLifeSeconds": "1",
        "ScheduleExpression": "rate(1 day)",
        "WatchdogState": "DISABLED",
    }
    return deploy(aws, ROOT / ".aws-sam" / "build" / "template.yaml", parameters)
