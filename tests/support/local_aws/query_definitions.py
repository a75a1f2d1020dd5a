"""Saved queries of CloudWatch Logs Insights, which ministack does not know: their API, and their resource type."""

import argparse
import json
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response
from ministack.services import cloudwatch_logs
from ministack.services.cloudformation import provisioners

Record = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]

# By id, as DescribeQueryDefinitions answers.
_definitions = AccountRegionScopedDict()


def mend(_options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Add the three operations and `AWS::Logs::QueryDefinition`."""
    handle_request, reset = cloudwatch_logs.handle_request, cloudwatch_logs.reset
    operations = {
        "PutQueryDefinition": put_query_definition,
        "DescribeQueryDefinitions": describe_query_definitions,
        "DeleteQueryDefinition": delete_query_definition,
    }

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        operation = operations.get(headers.get("x-amz-target", "").rpartition(".")[2])
        if operation is None:
            return await handle_request(method, path, headers, body, query)
        return operation(json.loads(body))

    def reset_with_definitions() -> None:
        _definitions.clear()
        reset()

    cloudwatch_logs.handle_request = handle
    cloudwatch_logs.reset = reset_with_definitions
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = {
        "create": lambda _logical_id, properties, _stack: _provision({}, properties),
        "update": lambda physical_id, _old, properties, _stack: _provision(
            {"queryDefinitionId": physical_id}, properties
        ),
        "delete": lambda physical_id, _properties: _definitions.pop(physical_id, None),
    }


def put_query_definition(request: Record) -> Response:
    """PutQueryDefinition: a new one, or with an id that is known the new text of that one."""
    identifier = request.get("queryDefinitionId")
    if identifier and identifier not in _definitions:
        return _unknown()
    identifier = identifier or str(uuid.uuid4())
    members = ("name", "queryString", "logGroupNames", "queryLanguage")
    _definitions[identifier] = {"queryDefinitionId": identifier} | {
        member: request[member] for member in members if member in request
    }
    answer: Response = json_response({"queryDefinitionId": identifier})
    return answer


def describe_query_definitions(request: Record) -> Response:
    """DescribeQueryDefinitions: those whose name begins as asked; all in one page."""
    prefix = request.get("queryDefinitionNamePrefix", "")
    found = [definition for definition in _definitions.values() if definition["name"].startswith(prefix)]
    answer: Response = json_response(
        {"queryDefinitions": sorted(found, key=lambda definition: str(definition["name"]))}
    )
    return answer


def delete_query_definition(request: Record) -> Response:
    """DeleteQueryDefinition."""
    if _definitions.pop(request["queryDefinitionId"], None) is None:
        return _unknown()
    answer: Response = json_response({"success": True})
    return answer


def _unknown() -> Response:
    message = "The specified query definition does not exist."
    answer: Response = error_response_json("ResourceNotFoundException", message, 400)
    return answer


def _provision(identity: Record, properties: Record) -> tuple[str, Record]:
    """Create or update one of a template, whose property names are the API's members with a capital."""
    members = {name[0].lower() + name[1:]: value for name, value in properties.items()}
    status, _, body = put_query_definition(members | identity)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"AWS::Logs::QueryDefinition failed: {answer['message']}")
    return answer["queryDefinitionId"], {"QueryDefinitionId": answer["queryDefinitionId"]}
