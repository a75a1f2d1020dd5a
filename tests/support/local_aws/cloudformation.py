"""CloudFormation where ministack leaves out what a template says.

- A role's `PermissionsBoundary` and a function's `VpcConfig` are not applied.
- The tags of a stack do not reach its event rules and dashboards, which cannot have any.
- `AWS::SecretsManager::ResourcePolicy`, `AWS::Events::EventBusPolicy` and `AWS::Logs::QueryDefinition` are unknown. The
  last two are only accepted here: no test reads them.
"""

import argparse
import json
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import cloudwatch, iam, lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

Provisioned = tuple[str, dict[str, Any]]
Properties = dict[str, Any]
Handlers = dict[str, Any]

# The property of a resource that holds its tags, and the shape of it.
TAGS = ("Tags", "list")


def patch(_options: argparse.Namespace) -> None:
    """Wrap what creates, updates and deletes these types, and add three."""
    handlers = provisioners._RESOURCE_HANDLERS
    _then_apply(handlers["AWS::IAM::Role"], _set_boundary)
    _then_apply(handlers["AWS::Lambda::Function"], _set_network)
    _then_apply(handlers["AWS::CloudWatch::Dashboard"], _tag_dashboard)
    checked = cloudwatch._validate_alarm_tag_arn
    cloudwatch._validate_alarm_tag_arn = lambda arn, **how: None if ":dashboard/" in arn else checked(arn, **how)
    provisioners._STACK_TAG_PROPERTY.update(dict.fromkeys(("AWS::CloudWatch::Dashboard", "AWS::Events::Rule"), TAGS))
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


def _tag_dashboard(name: str, properties: Properties) -> None:
    arn = f"arn:aws:cloudwatch::{get_account_id()}:dashboard/{name}"
    cloudwatch._resource_tags[arn] = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}


def _put_resource_policy(properties: Properties) -> Provisioned:
    """Attach the policy; the id is the secret's ARN, as AWS answers `!Ref`."""
    policy, block = properties["ResourcePolicy"], properties.get("BlockPublicPolicy")
    request = {"SecretId": properties["SecretId"], "ResourcePolicy": json.dumps(policy), "BlockPublicPolicy": block}
    status, _, body = secretsmanager._put_resource_policy(request)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"AWS::SecretsManager::ResourcePolicy failed: {answer['message']}")
    return answer["ARN"], {"Id": answer["ARN"]}
