"""Replicas of secrets, where ministack leaves something out.

As it comes, it does not know RemoveRegionsFromReplication, and deletes a secret together with its replicas, which
Secrets Manager refuses.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager as service

Record = dict[str, Any]
Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[Record], Response]


def mend(_options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Add the operation, and let a deletion wait for it."""
    service._delete_secret = _refusing(service._delete_secret)
    service.handle_request = _with_removal(service.handle_request)


def remove_regions_from_replication(request: Record) -> Response:
    """RemoveRegionsFromReplication: "deletes the secret replicas in the Regions you specify"."""
    secret = service._resolve(request["SecretId"])[1]
    if secret is None:
        missing: Response = error_response_json("ResourceNotFoundException", "There is no such secret.")
        return missing
    regions = request["RemoveReplicaRegions"]
    gone = [replica for replica in secret["ReplicationStatus"] if replica["Region"] in regions]
    kept = [replica for replica in secret["ReplicationStatus"] if replica["Region"] not in regions]
    service._delete_replicas(secret | {"ReplicationStatus": gone})
    secret["ReplicationStatus"] = kept
    answer: Response = json_response({"ARN": secret["ARN"], "ReplicationStatus": kept})
    return answer


def _with_removal(handle_request: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".RemoveRegionsFromReplication"):
            return remove_regions_from_replication(json.loads(body))
        return await handle_request(method, path, headers, body, query)

    return handle


def _refusing(delete: Handler) -> Handler:
    """API, DeleteSecret: "You can't delete a primary secret that is replicated to other Regions"."""

    def handle(request: Record) -> Response:
        secret = service._resolve(request.get("SecretId"))[1] or {}
        regions = [replica["Region"] for replica in secret.get("ReplicationStatus", [])]
        if regions:
            message = f"You can't delete secret {secret['Name']} that still has replica regions {regions}."
            refusal: Response = error_response_json("InvalidRequestException", message)
            return refusal
        return delete(request)

    return handle
