"""Secrets Manager with AWS's documented semantics, over ministack's own storage.

As it comes, ministack forgets versions, lets two of them hold one label, writes over a version, knows no quota and no
RemoveRegionsFromReplication, and asks no KMS key. The operations that are wrong are replaced here, by the rules of
`secret_versions`; records keep ministack's shape, so that CloudFormation, IAM and the "Secret Label Updated" event work
on. The functions and their operators use no binary values.
"""

import argparse
import contextvars
import json
import threading
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
from local_aws.secret_versions import CURRENT, DAY_SECONDS, PENDING, PREVIOUS, Record, Refusal, holder_of

# It encrypts a secret that names no key, and every caller in the account may use it.
AWS_MANAGED_KEY = "alias/aws/secretsmanager"

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[Record], Response]

# A check and the write that follows it are one step for every other thread.
_lock = threading.RLock()
# Whose request this is; None inside the server (CloudFormation), where no caller's rights are in question.
_access_key: contextvars.ContextVar[str | None] = contextvars.ContextVar("access_key", default=None)


def patch(options: argparse.Namespace) -> None:
    """Replace what is wrong."""
    secret_versions.kept_seconds = DAY_SECONDS / options.schedule_speed
    service._create_secret = _handler(create_secret)
    service._put_secret_value = _handler(put_secret_value)
    service._update_secret_version_stage = _handler(update_secret_version_stage)
    service._get_secret_value = _handler(get_secret_value)
    service._list_secret_version_ids = _handler(list_secret_version_ids)
    service._describe_secret = _without_empty_members(service._describe_secret)
    service.handle_request = _with_removal_and_caller(service.handle_request)
    create = _create_from_template(provisioners._sm_secret_create)
    provisioners._sm_secret_create = create
    provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"] = create


def create_secret(request: Record) -> Record:
    """CreateSecret: with a value the first version is AWSCURRENT, without one there is no version at all."""
    name, token = request["Name"], _token_of(request)
    if name in service._secrets:
        raise Refusal("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
    service._store_new_secret(name, kms_key_id=request.get("KmsKeyId"), tags=request.get("Tags"))
    secret = service._secrets[name]
    secret["Versions"] = {}
    if "SecretString" in request:
        _changed(secret, secret_versions.add_version(secret, token, request["SecretString"], [CURRENT], _now()))
    return _identity(secret) | ({"VersionId": token} if secret["Versions"] else {})


def put_secret_value(request: Record) -> Record:
    """PutSecretValue: a new version under the request's token; a repetition of the same request does nothing."""
    secret, token, text = _secret(request, to_change=True), _token_of(request), request["SecretString"]
    if not secret_versions.already_stored(secret, token, text):
        _check_key(secret, "kms:GenerateDataKey", "kms:Decrypt")
        # "If this operation creates the first version for the secret", it is AWSCURRENT whatever was asked for.
        labels = [*(request.get("VersionStages") or [CURRENT]), *([] if secret["Versions"] else [CURRENT])]
        _changed(secret, secret_versions.add_version(secret, token, text, labels, _now()))
    return _identity(secret) | {"VersionId": token, "VersionStages": secret["Versions"][token]["Stages"]}


def update_secret_version_stage(request: Record) -> Record:
    """UpdateSecretVersionStage: attach, move or remove one label."""
    secret = _secret(request, to_change=True)
    source, target = request.get("RemoveFromVersionId"), request.get("MoveToVersionId")
    _changed(secret, secret_versions.move(secret, request["VersionStage"], source=source, target=target))
    return _identity(secret)


def get_secret_value(request: Record) -> Record:
    """GetSecretValue: by VersionId, by VersionStage, by both if they agree, else AWSCURRENT."""
    secret = _secret(request)
    version_id, label = request.get("VersionId"), request.get("VersionStage")
    found: str = version_id or holder_of(secret, label or CURRENT) or ""
    version = secret["Versions"].get(found)
    if version is None:
        raise secret_versions.no_value(
            f"VersionId: {version_id}" if version_id else f"staging label: {label or CURRENT}"
        )
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
    """Make ministack's kind of handler of an operation, one request at a time."""

    def handle(request: Record) -> Response:
        try:
            with _lock:
                answer: Response = json_response(behaviour(request))
        except Refusal as refusal:
            answer = error_response_json(refusal.code, str(refusal))
        return answer

    return handle


def _now() -> float:
    """Return the seconds since the epoch, to the millisecond as AWS answers."""
    return round(time.time(), 3)


def _token_of(request: Record) -> str:
    """Return the ClientRequestToken, which becomes the VersionId; SDKs send one with every request."""
    return request.get("ClientRequestToken") or str(uuid.uuid4())


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


def _changed(secret: Record, moved: list[tuple[str, str]]) -> None:
    secret["LastChangedDate"] = _now()
    service._sync_replicas(secret)
    for label, version_id in moved:
        if label not in (PENDING, PREVIOUS):
            service._emit_secret_label_updated(secret, label, version_id)


def _check_key(secret: Record, *actions: str) -> None:
    """Hold the caller to its rights on a customer managed key.

    "If the secret is encrypted using a customer-managed key ..., then you also need kms:Decrypt permissions for that
    key" (API, GetSecretValue); PutSecretValue needs kms:GenerateDataKey too.
    """
    name, caller = secret.get("KmsKeyId") or AWS_MANAGED_KEY, _access_key.get()
    if name.endswith(AWS_MANAGED_KEY) or caller is None:
        return
    context = {"kms:ViaService": f"secretsmanager.{get_region()}.amazonaws.com"}
    for action in actions:
        arn = kms._resolve_key(name)["Arn"]
        if enforce(caller, action, "kms", get_region(), resource_arn=arn, service_context=context):
            raise Refusal("AccessDeniedException", "Access to KMS is not allowed")


def _with_removal_and_caller(handle_request: Callable[..., Any]) -> Callable[..., Any]:
    """Add RemoveRegionsFromReplication, and note whose request is served."""
    remove = _handler(remove_regions_from_replication)

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        if headers.get("x-amz-target", "").endswith(".RemoveRegionsFromReplication"):
            return remove(json.loads(body))
        caller = _access_key.set(extract_access_key_id(headers, query) or "")
        try:
            return await handle_request(method, path, headers, body, query)
        finally:
            _access_key.reset(caller)

    return handle


def _without_empty_members(describe: Handler) -> Handler:
    """ "Secrets Manager only returns fields that have a value in the response" (API, DescribeSecret)."""

    def handle(request: Record) -> Response:
        status, headers, body = describe(request)
        answer = {member: value for member, value in json.loads(body).items() if value}
        return status, headers, json.dumps(answer).encode()

    return handle


def _create_from_template(create: Callable[..., Any]) -> Callable[..., Any]:
    """Create a secret as CloudFormation does: a name that is taken fails, and without a value there is no version."""

    def handle(logical_id: str, properties: Record, stack_name: str) -> Any:
        with _lock:
            if properties.get("Name") in service._secrets:
                raise ValueError(f"The operation failed because the secret {properties['Name']} already exists.")
            name, attributes = create(logical_id, properties, stack_name)
            service._secrets[name]["Versions"] = {}
            return name, attributes

    return handle
