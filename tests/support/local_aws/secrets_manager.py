"""Secrets Manager with AWS's documented semantics, over ministack's own storage.

As it comes, ministack forgets versions, lets two of them hold one label, writes over a version, knows no quota and no
RemoveRegionsFromReplication, and asks no KMS key. The operations that are wrong are replaced here, by the rules of
`local_aws.secret_versions`, over ministack's records, so that the other operations, CloudFormation, IAM and the "Secret
Label Updated" event work on. The functions and their operators use no binary values.
"""

import argparse
import contextvars
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.iam_evaluator import enforce
from ministack.core.responses import error_response_json, get_region, json_response
from ministack.core.router import extract_access_key_id
from ministack.services import kms
from ministack.services import secretsmanager as service
from ministack.services.cloudformation import provisioners

from local_aws import secret_versions
from local_aws.secret_versions import (
    CURRENT,
    PENDING,
    PREVIOUS,
    Record,
    Refusal,
    add_version,
    already_stored,
    holder_of,
    no_value,
)

# It encrypts a secret that names no key, and every caller in the account may use it.
AWS_MANAGED_KEY = "alias/aws/secretsmanager"

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[Record], Response]

# Whose request this is.
_access_key: contextvars.ContextVar[str] = contextvars.ContextVar("access_key")


def patch(options: argparse.Namespace) -> None:
    """Replace what is wrong."""
    secret_versions.kept_seconds = secret_versions.DAY_SECONDS / options.schedule_speed
    service._create_secret = _handler(create_secret)
    service._put_secret_value = _handler(put_secret_value)
    service._get_secret_value = _handler(get_secret_value)
    service._list_secret_version_ids = _handler(list_secret_version_ids)
    service.handle_request = _with_removal_and_caller(service.handle_request)
    of_template = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    of_template["create"] = _create_from_template(of_template["create"])


def create_secret(request: Record) -> Record:
    """CreateSecret: with a value the first version is AWSCURRENT, without one there is no version at all."""
    name = request["Name"]
    if name in service._secrets:
        raise Refusal("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
    service._store_new_secret(name, kms_key_id=request.get("KmsKeyId"), tags=request.get("Tags"))
    secret = service._secrets[name]
    secret["Versions"] = {}
    return put_secret_value(request | {"SecretId": name}) if "SecretString" in request else _identity(secret)


def put_secret_value(request: Record) -> Record:
    """PutSecretValue: a new version under the request's token; a repetition of the same request does nothing."""
    secret, text = _secret(request, to_change=True), request["SecretString"]
    version_id = request.get("ClientRequestToken") or str(uuid.uuid4())
    if not already_stored(secret, version_id, text):
        _check_key(secret, "kms:GenerateDataKey", "kms:Decrypt")
        # "If this operation creates the first version for the secret", it is AWSCURRENT whatever was asked for.
        labels = {*(request.get("VersionStages") or [CURRENT]), *([] if secret["Versions"] else [CURRENT])}
        moved = add_version(secret, version_id, text, sorted(labels), round(time.time(), 3))
        secret["LastChangedDate"] = int(time.time())
        service._sync_replicas(secret)
        for label, target in moved:
            if label not in (PENDING, PREVIOUS):
                service._emit_secret_label_updated(secret, label, target)
    stages = secret["Versions"][version_id]["Stages"]
    return _identity(secret) | {"VersionId": version_id, "VersionStages": stages}


def get_secret_value(request: Record) -> Record:
    """GetSecretValue: by VersionId, by VersionStage, by both if they agree, else AWSCURRENT."""
    secret = _secret(request)
    version_id, label = request.get("VersionId"), request.get("VersionStage")
    found: str = version_id or holder_of(secret, label or CURRENT) or ""
    version = secret["Versions"].get(found)
    if version is None:
        raise no_value(f"VersionId: {version_id}" if version_id else f"staging label: {label or CURRENT}")
    if label and label not in version["Stages"]:
        message = "You provided a VersionStage that is not associated to the provided VersionId."
        raise Refusal("InvalidRequestException", message)
    _check_key(secret, "kms:Decrypt")
    return _identity(secret) | _summary(found, version) | {"SecretString": version["SecretString"]}


def list_secret_version_ids(request: Record) -> Record:
    """ListSecretVersionIds: those with labels, and with IncludeDeprecated all, oldest first and in one page."""
    secret = _secret(request)
    found = [
        _summary(version_id, version)
        for version_id, version in secret["Versions"].items()
        if version["Stages"] or request.get("IncludeDeprecated")
    ]
    return _identity(secret) | {"Versions": found}


def remove_regions_from_replication(request: Record) -> Record:
    """RemoveRegionsFromReplication: "deletes the secret replicas in the Regions you specify"."""
    secret, regions = _secret(request), request["RemoveReplicaRegions"]
    gone = [replica for replica in secret["ReplicationStatus"] if replica["Region"] in regions]
    kept = [replica for replica in secret["ReplicationStatus"] if replica["Region"] not in regions]
    service._delete_replicas(secret | {"ReplicationStatus": gone})
    secret["ReplicationStatus"] = kept
    return {"ARN": secret["ARN"], "ReplicationStatus": kept}


def _handler(behaviour: Callable[[Record], Record]) -> Handler:
    """Make ministack's kind of handler of an operation."""

    def handle(request: Record) -> Response:
        try:
            answer: Response = json_response(behaviour(request))
        except Refusal as refusal:
            answer = error_response_json(refusal.code, str(refusal))
        return answer

    return handle


def _secret(request: Record, *, to_change: bool = False) -> Record:
    secret: Record | None = service._resolve(request["SecretId"])[1]
    if secret is None:
        raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    if secret.get("DeletedDate"):
        message = "You can't perform this operation on the secret because it was marked for deletion."
        raise Refusal("InvalidRequestException", message)
    if to_change and service._is_replica(secret):
        raise Refusal("InvalidRequestException", "You can't perform this operation on a replica secret.")
    return secret


def _identity(secret: Record) -> Record:
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


def _summary(version_id: str, version: Record) -> Record:
    """A version's id, date and labels; a list of labels is never empty, so it is left out if there are none."""
    labels = {"VersionStages": version["Stages"]} if version["Stages"] else {}
    return {"VersionId": version_id, "CreatedDate": version["CreatedDate"]} | labels


def _check_key(secret: Record, *actions: str) -> None:
    """Hold the caller to its rights on a customer managed key.

    "If the secret is encrypted using a customer-managed key ..., then you also need kms:Decrypt permissions for that
    key" (API, GetSecretValue); PutSecretValue needs kms:GenerateDataKey too.
    """
    name = secret.get("KmsKeyId") or AWS_MANAGED_KEY
    if name.endswith(AWS_MANAGED_KEY):
        return
    context = {"kms:ViaService": f"secretsmanager.{get_region()}.amazonaws.com"}
    for action in actions:
        arn = kms._resolve_key(name)["Arn"]
        if enforce(_access_key.get(), action, "kms", get_region(), resource_arn=arn, service_context=context):
            raise Refusal("AccessDeniedException", "Access to KMS is not allowed")


def _with_removal_and_caller(handle_request: Callable[..., Any]) -> Callable[..., Any]:
    """Add RemoveRegionsFromReplication, and note whose request is served."""
    remove = _handler(remove_regions_from_replication)

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".RemoveRegionsFromReplication"):
            return remove(json.loads(body))
        _access_key.set(extract_access_key_id(headers, query) or "")
        return await handle_request(method, path, headers, body, query)

    return handle


def _create_from_template(create: Callable[..., Any]) -> Callable[..., Any]:
    """Create a secret as CloudFormation does: a name that is taken fails, and without a value there is no version."""

    def handle(logical_id: str, properties: Record, stack_name: str) -> Any:
        if properties.get("Name") in service._secrets:
            raise ValueError(f"The operation failed because the secret {properties['Name']} already exists.")
        name, attributes = create(logical_id, properties, stack_name)
        service._secrets[name]["Versions"] = {}
        return name, attributes

    return handle
