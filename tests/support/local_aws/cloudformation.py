"""CloudFormation where ministack leaves out what a template says.

- `!Ref` of a secret gives its name; AWS gives its ARN.
- A table's `TimeToLiveSpecification`, a role's `PermissionsBoundary` and a function's `VpcConfig` are not applied.
- The tags of a stack do not reach its event rules and dashboards, which cannot have any.
- The workers of a function that is deleted with its stack stay.
- `AWS::SecretsManager::ResourcePolicy` and `AWS::Events::EventBusPolicy` are unknown.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import cloudwatch, dynamodb, eventbridge, iam, lambda_svc, secretsmanager
from ministack.services.cloudformation import provisioners

Provisioned = tuple[str, dict[str, Any]]
Properties = dict[str, Any]
Handlers = dict[str, Any]

# The property of a resource that holds its tags, and the shape of it.
TAGS = ("Tags", "list")


def mend(_options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Wrap what creates, updates and deletes these types, and add two."""
    handlers = provisioners._RESOURCE_HANDLERS
    _identify_by_arn(handlers["AWS::SecretsManager::Secret"])
    _then_apply(handlers["AWS::DynamoDB::Table"], _set_time_to_live)
    _then_apply(handlers["AWS::IAM::Role"], _set_boundary)
    _then_apply(handlers["AWS::Lambda::Function"], _set_network)
    _then_apply(handlers["AWS::CloudWatch::Dashboard"], _tag_dashboard)
    checked = cloudwatch._validate_alarm_tag_arn
    cloudwatch._validate_alarm_tag_arn = lambda arn, **how: None if ":dashboard/" in arn else checked(arn, **how)
    provisioners._STACK_TAG_PROPERTY.update(dict.fromkeys(("AWS::CloudWatch::Dashboard", "AWS::Events::Rule"), TAGS))
    _stop_workers_on_deletion(handlers["AWS::Lambda::Function"])
    handlers["AWS::SecretsManager::ResourcePolicy"] = {
        "create": lambda _logical_id, properties, _stack: _put_resource_policy(properties),
        "update": lambda _secret, _old, properties, _stack: _put_resource_policy(properties),
        "delete": lambda secret, _properties: secretsmanager._delete_resource_policy({"SecretId": secret}),
    }
    handlers["AWS::Events::EventBusPolicy"] = {
        "create": lambda _logical_id, properties, _stack: _put_bus_statement(properties),
        "update": lambda _policy, _old, properties, _stack: _put_bus_statement(properties),
        "delete": lambda _policy, properties: _remove_bus_statement(properties),
    }


def _identify_by_arn(handlers: Handlers) -> None:
    """Show CloudFormation a secret's ARN, and ministack's handlers its name."""
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def name(arn: str) -> str:
        return arn.split(":", 6)[6].rsplit("-", 1)[0]

    def create_by_arn(logical_id: str, properties: Properties, stack: str) -> Provisioned:
        _, attributes = create(logical_id, properties, stack)
        return attributes["Arn"], attributes

    def update_by_arn(arn: str, old: Properties, new: Properties, stack: str, logical_id: str | None) -> Provisioned:
        _, attributes = update(name(arn), old, new, stack, logical_id)
        return attributes["Arn"], attributes

    def delete_by_arn(arn: str, properties: Properties) -> None:
        delete(name(arn), properties)

    handlers.update(create=create_by_arn, update=update_by_arn, delete=delete_by_arn)


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


def _set_time_to_live(name: str, properties: Properties) -> None:
    specification = properties.get("TimeToLiveSpecification")
    if specification:
        enabled = str(specification.get("Enabled")).lower() == "true"
        dynamodb._update_ttl(
            {"TableName": name, "TimeToLiveSpecification": {**specification, "Enabled": enabled}},
        )


def _stop_workers_on_deletion(handlers: Handlers) -> None:
    delete = handlers["delete"]

    def delete_with_workers(name: str, properties: Properties) -> None:
        delete(name, properties)
        lambda_svc.invalidate_worker(name)

    handlers.update(delete=delete_with_workers)


def _put_resource_policy(properties: Properties) -> Provisioned:
    """Attach the policy; the id is the secret's ARN, as AWS answers `!Ref`."""
    policy, block = properties["ResourcePolicy"], properties.get("BlockPublicPolicy")
    request = {"SecretId": properties["SecretId"], "ResourcePolicy": json.dumps(policy), "BlockPublicPolicy": block}
    status, _, body = secretsmanager._put_resource_policy(request)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"AWS::SecretsManager::ResourcePolicy failed: {answer['message']}")
    return answer["ARN"], {"Id": answer["ARN"]}


def _put_bus_statement(properties: Properties) -> Provisioned:
    """Put a whole statement into the policy of an event bus, which PutPermission cannot; a new one has a new id."""
    _remove_bus_statement(properties)
    bus, statement_id = properties.get("EventBusName", "default"), properties["StatementId"]
    policy = eventbridge._event_bus_policies.setdefault(bus, {"Version": "2012-10-17", "Statement": []})
    policy["Statement"].append({"Sid": statement_id} | properties["Statement"])
    return f"{bus}|{statement_id}", {}


def _remove_bus_statement(properties: Properties) -> None:
    request = {"EventBusName": properties.get("EventBusName", "default"), "StatementId": properties["StatementId"]}
    eventbridge._remove_permission(request)
