"""CloudFormation where ministack leaves out what a template says.

- A role's `PermissionsBoundary` and a function's `VpcConfig` are not applied.
- `AWS::SecretsManager::ResourcePolicy`, `AWS::Events::EventBusPolicy` and `AWS::Logs::QueryDefinition` are unknown. The
  last two are only accepted here: no test reads them.
- The deletion of a nested stack deletes what its template says is to be retained, and its update forgets the attributes
  of what it leaves as it is.
- Where the SAM CLI has uploaded a nested template, the parent's template holds an address of this AWS, which
  `sam delete` refuses. GetTemplate answers with the address that it would have on AWS.

What differs from AWS: a stack whose creation fails leaves behind what is retained, and all of a nested stack that
fails.
"""

import argparse
import json
import os
import re
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_region
from ministack.services import cloudformation, iam, lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

Provisioned = tuple[str, dict[str, Any]]
Properties = dict[str, Any]
Handlers = dict[str, Any]
Handler = Callable[..., Any]


def patch(_options: argparse.Namespace) -> None:
    """Wrap what creates, updates and deletes these types, add three, and wrap GetTemplate."""
    handlers, operations = provisioners._RESOURCE_HANDLERS, cloudformation._ACTION_HANDLERS
    _then_apply(handlers["AWS::IAM::Role"], _set_boundary)
    _then_apply(handlers["AWS::Lambda::Function"], _set_network)
    handlers["AWS::SecretsManager::ResourcePolicy"] = {
        "create": lambda _logical_id, properties, _stack: _put_resource_policy(properties),
        "update": lambda _secret, _old, properties, _stack: _put_resource_policy(properties),
        "delete": lambda secret, _properties: secretsmanager._delete_resource_policy({"SecretId": secret}),
    }
    for kind in ("AWS::Events::EventBusPolicy", "AWS::Logs::QueryDefinition"):
        handlers[kind] = {
            "create": lambda _logical_id, _properties, _stack: (str(uuid.uuid4()), {}),
            "update": lambda physical_id, _old, _properties, _stack: (physical_id, {}),
            "delete": lambda _physical_id, _properties: None,
        }
    nested = handlers["AWS::CloudFormation::Stack"]
    nested["delete"] = _retaining(nested["delete"])
    provisioners._update_resource = _remembering(provisioners._update_resource)
    operations["GetTemplate"] = _with_addresses_of_aws(operations["GetTemplate"])


def _then_apply(handlers: Handlers, apply: Callable[[str, Properties], None]) -> None:
    """Apply a property that ministack passes over after it has created or updated the resource."""
    create, update = handlers["create"], handlers["update"]

    def create_and_apply(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        physical_id, attributes = create(logical_id, properties, stack)
        apply(physical_id, properties)
        return physical_id, attributes

    def update_and_apply(physical_id: str, old: Properties, new: Properties, *stack: str | None) -> Provisioned:
        physical_id, attributes = update(physical_id, old, new, *stack)
        apply(physical_id, new)
        return physical_id, attributes

    handlers.update(create=create_and_apply, update=update_and_apply)


def _set_boundary(role: str, properties: Properties) -> None:
    iam._roles[role]["PermissionsBoundary"] = properties.get("PermissionsBoundary")


def _set_network(function: str, properties: Properties) -> None:
    network = lambda_svc._vpc_config_with_id(properties.get("VpcConfig"))
    lambda_svc._functions[function]["config"]["VpcConfig"] = network


def _put_resource_policy(properties: Properties) -> Provisioned:
    """Attach the policy; the id is the secret's ARN, as AWS answers `!Ref`."""
    policy, block = properties["ResourcePolicy"], properties.get("BlockPublicPolicy")
    request = {"SecretId": properties["SecretId"], "ResourcePolicy": json.dumps(policy), "BlockPublicPolicy": block}
    _, _, answer = secretsmanager._put_resource_policy(request)
    arn = json.loads(answer)["ARN"]
    return arn, {"Id": arn}


def _retaining(delete: Handler) -> Handler:
    def delete_but_retained(stack_id: str, properties: Properties) -> None:
        stack = cloudformation._stacks[provisioners._nested_stack_lookup_name(stack_id)]
        for logical_id, definition in stack["_template"]["Resources"].items():
            if definition.get("DeletionPolicy") in provisioners._RETAINING_POLICIES:
                stack["_resources"].pop(logical_id, None)
        delete(stack_id, properties)

    return delete_but_retained


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
