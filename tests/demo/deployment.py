"""Deploys built templates with the real SAM CLI to a local AWS."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from local_aws import ENVIRONMENTS, LocalAWS

ROOT = Path(__file__).resolve().parents[2]
SAM = ENVIRONMENTS / "sam" / "bin"
# `make build` writes both.
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
BUILT_CONSUMER = ROOT / ".aws-sam" / "consumer" / "template.yaml"
STACK_NAME = "talend-token"
CONSUMER_STACK_NAME = "talend-consumer"


class DeploymentError(RuntimeError):
    """The SAM CLI failed; the message holds what it printed."""


class Stack(NamedTuple):
    """A deployed stack."""

    name: str
    outputs: dict[str, str]


def deploy(
    aws: LocalAWS,
    template: Path,
    parameters: dict[str, str],
    stack_name: str = STACK_NAME,
    *options: str,
    environment: dict[str, str] | None = None,
) -> Stack:
    """Run `sam deploy` of a built template, with the committed samconfig.toml.

    `environment` is that of the local AWS's administrator if it is not given.
    """
    if not template.exists():
        raise DeploymentError(f"{template} does not exist. Run `make build`.")
    arguments = ["--config-file", str(ROOT / "samconfig.toml"), "--template-file", str(template)]
    if parameters:
        arguments += ["--parameter-overrides", *(f'{name}="{value}"' for name, value in parameters.items())]
    environment = environment or aws.subprocess_environment()
    sam(environment, "deploy", "--stack-name", stack_name, *arguments, *options)
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    return Stack(stack_name, {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]})


def deploy_consumer(aws: LocalAWS, template: Path, main: Stack, api_url: str) -> Stack:
    """Deploy the built example consumer with the outputs of the main stack as its parameters."""
    names = ("ClientLayerArn", "ConsumerPolicyArn", "TokenSecretArn", "RenewFunctionName")
    parameters = {name: main.outputs[name] for name in names} | {"TalendApiUrl": api_url}
    return deploy(aws, template, parameters, CONSUMER_STACK_NAME)


def resources(aws: LocalAWS, stack_name: str) -> Iterator[dict[str, Any]]:
    """Yield every resource of a stack and of the stacks nested in it, as CloudFormation lists them."""
    pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_name)
    for resource in (resource for page in pages for resource in page["StackResourceSummaries"]):
        yield resource
        if resource["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from resources(aws, resource["PhysicalResourceId"])


def physical_id(aws: LocalAWS, logical_id: str, stack_name: str = STACK_NAME) -> str:
    """Return the physical id of a resource of a stack, or of one nested in it."""
    (found,) = [one for one in resources(aws, stack_name) if one["LogicalResourceId"] == logical_id]
    return str(found["PhysicalResourceId"])


def switch_schedule(aws: LocalAWS, schedule: str, state: str, stack_name: str = STACK_NAME) -> None:
    """Enable or disable a schedule of a stack, as an operator would: `Schedule` or `Watchdog`."""
    scheduler = aws.client("scheduler")
    found = scheduler.get_schedule(Name=physical_id(aws, schedule, stack_name))
    kept = ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")
    scheduler.update_schedule(**{member: found[member] for member in kept}, State=state)


@contextmanager
def without_schedules(aws: LocalAWS, *schedules: str) -> Iterator[None]:
    """Disable some schedules of the main stack for as long as the block runs."""
    for schedule in schedules:
        switch_schedule(aws, schedule, "DISABLED")
    try:
        yield
    finally:
        for schedule in schedules:
            switch_schedule(aws, schedule, "ENABLED")


def sam(environment: dict[str, str], *arguments: str) -> str:
    """Run the SAM CLI, and return what it printed."""
    # The SAM CLI leaves an empty folder behind in the folder for temporary files.
    with tempfile.TemporaryDirectory(prefix="sam-") as temporary:
        environment = environment | {"TMPDIR": temporary}
        finished = subprocess.run(
            [SAM / "sam", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    printed = finished.stdout + finished.stderr
    if finished.returncode != 0:
        raise DeploymentError(f"sam {arguments[0]} failed:\n{printed}")
    return printed
