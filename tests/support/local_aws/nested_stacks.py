"""Nested stacks of CloudFormation that retain and update as other stacks do.

As it comes, ministack deletes what a nested template says is to be retained, and forgets the attributes of what an
update leaves as it is. Where the SAM CLI has uploaded a nested template, the parent's template holds an address of this
AWS, which `sam delete` refuses: GetTemplate answers with the address that it would have on AWS.

What differs from AWS: a nested stack whose creation fails leaves behind what it had created.
"""

import argparse
import contextvars
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.core.responses import get_region
from ministack.services import cloudformation
from ministack.services.cloudformation import provisioners, stacks

Properties = dict[str, Any]
Handler = Callable[..., Any]

# The policies that retain a resource when its stack is deleted, and when the operation that created it is rolled back
# [CloudFormation user guide, "DeletionPolicy attribute"].
RETAINING = ("Retain", "RetainExceptOnCreate")
RETAINING_IN_ROLLBACK = ("Retain",)
_rolling_back: contextvars.ContextVar[bool] = contextvars.ContextVar("rolling_back", default=False)


def patch(_options: argparse.Namespace) -> None:
    """Wrap the deletion, the update of a resource, the rollback, and GetTemplate."""
    operations = cloudformation._ACTION_HANDLERS
    operations["GetTemplate"] = _with_addresses_of_aws(operations["GetTemplate"])
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CloudFormation::Stack"]
    provisioners._update_resource = _remembering(provisioners._update_resource)
    stacks._roll_back_operation = _noting_rollback(stacks._roll_back_operation)
    handlers["delete"] = _retaining(handlers["delete"])


def _retaining(delete: Handler) -> Handler:
    def delete_but_retained(stack_id: str, properties: Properties) -> None:
        stack = cloudformation._stacks.get(provisioners._nested_stack_lookup_name(stack_id))
        retaining = RETAINING_IN_ROLLBACK if _rolling_back.get() else RETAINING
        if stack:
            for logical_id, definition in stack["_template"].get("Resources", {}).items():
                if definition.get("DeletionPolicy") in retaining:
                    stack["_resources"].pop(logical_id, None)
        delete(stack_id, properties)

    return delete_but_retained


def _noting_rollback(roll_back: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Note that what is deleted was created by the operation that is rolled back."""

    async def roll_back_and_note(*arguments: Any, **options: Any) -> None:
        token = _rolling_back.set(True)
        try:
            await roll_back(*arguments, **options)
        finally:
            _rolling_back.reset(token)

    return roll_back_and_note


def _remembering(update_resource: Handler) -> Handler:
    """Give an update of a nested stack's resource the attributes that it had, as other stacks' updates get them."""

    def update(kind: str, physical_id: str, old: Properties, new: Properties, stack: str, logical_id: str) -> Any:
        known = cloudformation._stacks[stack]["_resources"][logical_id]
        return update_resource(kind, physical_id, old, new, stack, logical_id, known["Attributes"])

    return update


def _with_addresses_of_aws(get_template: Handler) -> Handler:
    endpoint = f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}/".encode()
    address = re.compile(rb"(TemplateURL(?:\W|quot)+)" + re.escape(endpoint))

    def get(parameters: Any) -> Any:
        status, headers, body = get_template(parameters)
        return status, headers, address.sub(rb"\1https://s3.%b.amazonaws.com/" % get_region().encode(), body)

    return get
