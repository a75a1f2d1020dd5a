"""Finds the accounts of a stack, and the resources that CloudFormation has created for each of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from talend_token._command_line.aws import NO_RIGHT, AWSError
from talend_token._command_line.failure import NO_TOKEN
from talend_token._command_line.place import DEFAULT_ACCOUNT, DEFAULT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from talend_token._command_line.place import Place

# Logical ids in the templates.
_MAIN_ACCOUNT, _MONITORING, _FURTHER_ACCOUNT, _SCHEDULE = "DefaultAccount", "Monitoring", "Resources", "Schedule"
_ALARM = "AWS::CloudWatch::Alarm"


class Account(NamedTuple):
    """One account of the stack."""

    name: str
    token_secret: str
    schedule: str | None = None
    """Name of the schedule that rotates the token; None if reading it is not permitted."""
    alarms: dict[str, str] | None = None
    """The logical ids of the alarms by their names; None if reading them is not permitted."""


class Inventory:
    """Reads the resources of a stack. Without a permission, the result is unknown, and `warn` gets a line."""

    def __init__(self, place: Place, warn: Callable[[str], None]) -> None:
        self._place = place
        self._warn = warn

    def allowed(self, look: Callable[[], Any]) -> Any:
        """Return the result of `look`, or None if a permission or the resource is missing."""
        try:
            return look()
        except AWSError as error:
            if error.code not in NO_RIGHT and error.exit_code != NO_TOKEN:
                raise
            self._warn(f"{error}")
            return None

    def accounts(self, only: str | None) -> list[Account]:
        """Return the account `only`, or all accounts: the main stack's, and those of stacks that use its exports."""
        prefix = self.allowed(lambda: self._place.output("SecretPrefix"))
        if prefix is None:
            name = only or DEFAULT_ACCOUNT
            return [Account(name, f"{DEFAULT_PREFIX}/{name}/token")]
        stacks = {DEFAULT_ACCOUNT: self._nested(self._place.stack_name, _MAIN_ACCOUNT)}
        if only != DEFAULT_ACCOUNT:
            for stack in self.allowed(self._importing_stacks) or []:
                name = self.allowed(partial(self._account_of, stack))
                if name and only in (None, name):
                    stacks[name] = self._nested(stack, _FURTHER_ACCOUNT)
        names = [only] if only else sorted(stacks, key=lambda name: (name != DEFAULT_ACCOUNT, name))
        return [self._account(name, f"{prefix}/{name}/token", stacks.get(name)) for name in names]

    def alarms_of_the_stack(self) -> dict[str, str] | None:
        """Return the alarms of the stack itself, without those of its accounts, in the form of `Account.alarms`."""
        stack = self._nested(self._place.stack_name, _MONITORING)
        return None if stack is None else self._alarms(stack)

    def _account(self, name: str, token_secret: str, stack: str | None) -> Account:
        resources = None if stack is None else self.allowed(lambda: self._resources(stack))
        if resources is None:
            return Account(name, token_secret)
        schedule = next((found["PhysicalResourceId"] for found in resources if _is(found, _SCHEDULE)), None)
        return Account(name, token_secret, schedule, _alarms(resources))

    def _alarms(self, stack: str) -> dict[str, str] | None:
        resources = self.allowed(lambda: self._resources(stack))
        return None if resources is None else _alarms(resources)

    def _nested(self, stack: str, logical_id: str) -> str | None:
        resources = self.allowed(lambda: self._resources(stack)) or []
        return next((found["PhysicalResourceId"] for found in resources if _is(found, logical_id)), None)

    def _resources(self, stack: str) -> list[dict[str, Any]]:
        def pages(client: Any) -> list[dict[str, Any]]:
            found = client.get_paginator("list_stack_resources").paginate(StackName=stack)
            return [resource for page in found for resource in page["StackResourceSummaries"]]

        return self._place.aws.call("cloudformation", f"stack {stack!r}", pages)

    def _importing_stacks(self) -> list[str]:
        export = f"{self._place.stack_name}-SecretPrefix"

        def pages(client: Any) -> list[str]:
            found = client.get_paginator("list_imports").paginate(ExportName=export)
            return [name for page in found for name in page["Imports"]]

        try:
            return self._place.aws.call("cloudformation", f"export {export!r}", pages)
        except AWSError as error:
            # CloudFormation answers this for an export that no stack imports.
            if error.code == "ValidationError":
                return []
            raise

    def _account_of(self, stack: str) -> str | None:
        (described,) = self._place.aws.call(
            "cloudformation", f"stack {stack!r}", lambda client: client.describe_stacks(StackName=stack)["Stacks"]
        )
        parameters = {found["ParameterKey"]: found["ParameterValue"] for found in described.get("Parameters", [])}
        return parameters.get("Account")


def _is(resource: dict[str, Any], logical_id: str) -> bool:
    return bool(resource["LogicalResourceId"] == logical_id)


def _alarms(resources: list[dict[str, Any]]) -> dict[str, str]:
    alarms = [resource for resource in resources if resource["ResourceType"] == _ALARM]
    return {resource["PhysicalResourceId"]: resource["LogicalResourceId"] for resource in alarms}
