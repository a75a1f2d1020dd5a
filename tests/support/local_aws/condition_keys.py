"""Condition keys of policies that ministack does not know.

As it comes, a policy that allows something on `secretsmanager:VersionStage` or `events:source` never allows it, and one
with `ForAllValues` on `dynamodb:LeadingKeys` always does. One that denies what does not come by TLS denies everything,
because this AWS listens on plain HTTP. Keys and values are those of the Service Authorization
Reference.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb

Request = dict[str, Any]
Keys = dict[str, Any]


def mend(_options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Add the keys to those that ministack finds in a request."""
    known: Callable[..., Keys] = iam_actions.request_tag_context

    def with_more_keys(service: str, iam_action: str, body: bytes, parameters: Any) -> Keys:
        more = KEYS.get(service)
        try:
            request = json.loads(body) if more else None
        except ValueError:
            request = None
        keys = more(request) if more and isinstance(request, dict) else {}
        return {**known(service, iam_action, body, parameters), **keys}

    iam_actions.request_tag_context = with_more_keys
    app.pin_request_origin = lambda address, _is_secure: iam_evaluator.pin_request_origin(address, True)


def _of_secrets_manager(request: Request) -> Keys:
    members = ("SecretId", "VersionId", "VersionStage")
    return {f"secretsmanager:{member}": request[member] for member in members if member in request}


def _of_events(request: Request) -> Keys:
    entries = request.get("Entries") or []
    sources = [entry["Source"] for entry in entries if "Source" in entry]
    # One value is compared as one; several need `ForAllValues` or `ForAnyValue`.
    return {"events:source": sources[0] if len(sources) == 1 else sources} if sources else {}


def _of_dynamodb(request: Request) -> Keys:
    """The partition keys of the items that a call names."""
    table = dynamodb._tables.get(dynamodb._normalize_table_name(request.get("TableName")))
    item = request.get("Key") or request.get("Item")
    if not table or not item or table["pk_name"] not in item:
        return {}
    return {"dynamodb:LeadingKeys": list(item[table["pk_name"]].values())}


KEYS: dict[str, Callable[[Request], Keys]] = {
    "dynamodb": _of_dynamodb,
    "events": _of_events,
    "secretsmanager": _of_secrets_manager,
}
