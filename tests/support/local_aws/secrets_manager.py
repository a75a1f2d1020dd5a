"""Secrets Manager with AWS's documented semantics, over ministack's own storage.

As it comes, ministack forgets versions, lets two of them hold one label, writes over a version and knows no quota.
The operations that are wrong are replaced here, by the rules of `secret_versions`; records keep ministack's shape, so
that CloudFormation, IAM, persistence and the "Secret Label Updated" event work on.
"""

import argparse
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager as service
from ministack.services.cloudformation import provisioners

from local_aws import secret_versions
from local_aws.secret_requests import check_key, checked, page_of, token_of, value_of, with_caller
from local_aws.secret_versions import CURRENT, DAY_SECONDS, PENDING, PREVIOUS, VALUE_MEMBERS, Record, Refusal, holder_of

ENCRYPT = ("EncryptionFailure", "kms:GenerateDataKey", "kms:Decrypt")
DECRYPT = ("DecryptionFailure", "kms:Decrypt")

Response = tuple[int, dict[str, str], bytes]
Handler = Callable[[Record], Response]

# A check and the write that follows it are one step for every other thread.
_lock = threading.RLock()
_days_ahead = 0


def now() -> float:
    """Seconds since the epoch on this service's clock, to the millisecond as AWS answers."""
    return round(time.time() + _days_ahead * DAY_SECONDS, 3)


def advance_a_day() -> dict[str, float]:
    """Move this service's clock 24 hours ahead; the answer is its new time."""
    global _days_ahead
    _days_ahead += 1
    return {"now": now()}


def mend(options: argparse.Namespace, routes: dict[str, Callable[[], Any]]) -> None:
    """Replace what is wrong; the route `/_local_aws/secrets_manager/advance_a_day` moves the clock of the service."""
    routes["/_local_aws/secrets_manager/advance_a_day"] = advance_a_day
    secret_versions.kept_seconds = DAY_SECONDS / options.schedule_speed
    reading = (get_secret_value, list_secret_version_ids)
    writing = (create_secret, put_secret_value, update_secret, update_secret_version_stage)
    for behaviour in (*reading, *writing):
        setattr(service, f"_{behaviour.__name__}", _handler(behaviour))
    service._describe_secret = _without_empty_members(service._describe_secret)
    service._list_secrets = _without_empty_members(service._list_secrets)
    service._resolve = _resolve(service._resolve)
    service._publish_new_version = _publish_new_version
    service.handle_request = with_caller(service.handle_request)
    create = _create_from_template(provisioners._sm_secret_create)
    provisioners._sm_secret_create = create
    provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"] = create


def create_secret(request: Record) -> Record:
    """CreateSecret: with a value the first version is AWSCURRENT, without one there is no version at all."""
    name, token, value = request["Name"], token_of(request), value_of(request)
    secret = service._secrets.get(name)
    if secret and secret.get("DeletedDate"):
        raise Refusal(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
    if secret and not (value and secret_versions.already_stored(secret, token, value)):
        raise Refusal("ResourceExistsException", f"The operation failed because the secret {name} already exists.")
    if not secret:
        check_key(request, *ENCRYPT)
        description, tags = request.get("Description", ""), request.get("Tags")
        service._store_new_secret(name, kms_key_id=request.get("KmsKeyId"), description=description, tags=tags)
        secret = service._secrets[name]
        secret["Versions"] = {}
        if value:
            _changed(secret, secret_versions.add_version(secret, token, value, [CURRENT], now()))
    return _identity(secret) | ({"VersionId": token} if value else {})


def put_secret_value(request: Record) -> Record:
    """PutSecretValue: a new version under the request's token; a repetition of the same request does nothing."""
    secret, token, value = _secret(request, to_change=True), token_of(request), value_of(request)
    if value is None:
        raise Refusal("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
    if not secret_versions.already_stored(secret, token, value):
        check_key(secret, *ENCRYPT)
        # "If this operation creates the first version for the secret", it is AWSCURRENT whatever was asked for.
        labels = [*(request.get("VersionStages") or [CURRENT]), *([] if secret["Versions"] else [CURRENT])]
        _changed(secret, secret_versions.add_version(secret, token, value, labels, now()))
    return _identity(secret) | {"VersionId": token, "VersionStages": secret["Versions"][token]["Stages"]}


def update_secret(request: Record) -> Record:
    """UpdateSecret: metadata, and with a value a new AWSCURRENT version."""
    secret, token, value = _secret(request, to_change=True), token_of(request), value_of(request)
    metadata: Record = {member: request[member] for member in ("Description", "KmsKeyId") if member in request}
    moved = []
    if value:
        if token in secret["Versions"]:
            # Unlike PutSecretValue: "a ClientRequestToken that matches an existing version's VersionId" is an error.
            raise secret_versions.token_in_use(secret, token)
        check_key(secret | metadata, *ENCRYPT)
        moved = secret_versions.add_version(secret, token, value, [CURRENT], now())
    secret.update(metadata)
    _changed(secret, moved)
    return _identity(secret) | ({"VersionId": token} if value else {})


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
    if version is None or not secret_versions.has_value(version):
        what = f"VersionId: {version_id}" if version_id else f"staging label: {label or CURRENT}"
        raise secret_versions.no_value(what)
    if label and label not in version["Stages"]:
        message = "You provided a VersionStage that is not associated to the provided VersionId."
        raise Refusal("InvalidRequestException", message)
    check_key(secret, *DECRYPT)
    # The resolution of this date is a day (API, SecretVersionsListEntry).
    secret["LastAccessedDate"] = version["LastAccessedDate"] = int(now() // DAY_SECONDS * DAY_SECONDS)
    value = {member: version[member] for member in VALUE_MEMBERS if version.get(member)}
    return _identity(secret) | _summary(found, version, "CreatedDate") | value


def list_secret_version_ids(request: Record) -> Record:
    """ListSecretVersionIds: the versions with labels, and with IncludeDeprecated the others too, oldest first."""
    secret = _secret(request, deleted_too=True)
    keys = {"KmsKeyIds": [secret.get("KmsKeyId") or "DefaultEncryptionKey"]}
    versions = [
        keys | _summary(version_id, version, "CreatedDate", "LastAccessedDate")
        for version_id, version in secret["Versions"].items()
        if version["Stages"] or request.get("IncludeDeprecated")
    ]
    start, end, next_token = page_of(request, len(versions))
    return _identity(secret) | {"Versions": versions[start:end]} | next_token


def _handler(behaviour: Callable[[Record], Record]) -> Handler:
    """Make ministack's kind of handler of an operation, one request at a time."""
    operation = "".join(word.capitalize() for word in behaviour.__name__.split("_"))

    def handle(request: Record) -> Response:
        try:
            with _lock:
                answer: Response = json_response(behaviour(checked(operation, request)))
        except Refusal as refusal:
            answer = error_response_json(refusal.code, str(refusal))
        return answer

    return handle


def _secret(request: Record, *, to_change: bool = False, deleted_too: bool = False) -> Record:
    """The secret that SecretId names, by name, ARN or ARN without its suffix."""
    secret: Record | None = service._resolve(request["SecretId"])[1]
    if secret is None:
        raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
    if secret.get("DeletedDate") and not deleted_too:
        message = "You can't perform this operation on the secret because it was marked for deletion."
        raise Refusal("InvalidRequestException", message)
    if to_change and service._is_replica(secret):
        raise Refusal("InvalidRequestException", "You can't perform this operation on a replica secret.")
    return secret


def _identity(secret: Record) -> Record:
    return {"ARN": secret["ARN"], "Name": secret["Name"]}


def _summary(version_id: str, version: Record, *members: str) -> Record:
    """A version's id, labels and dates; a list of labels is never empty, so it is left out if there are none."""
    labels = {"VersionStages": version["Stages"]} if version["Stages"] else {}
    return {"VersionId": version_id} | labels | {member: version[member] for member in members if version.get(member)}


def _changed(secret: Record, moved: list[tuple[str, str]]) -> None:
    secret["LastChangedDate"] = now()
    service._sync_replicas(secret)
    for label, version_id in moved:
        if label not in (PENDING, PREVIOUS):
            service._emit_secret_label_updated(secret, label, version_id)


def _resolve(find: Callable[..., tuple[str | None, Record | None]]) -> Callable[..., tuple[str | None, Record | None]]:
    """Match a partial ARN whole: it is an ARN without its hyphen and six characters, not any beginning of one."""

    def resolve(secret_id: str, *, use_arn_scope: bool = False) -> tuple[str | None, Record | None]:
        key, secret = find(secret_id, use_arn_scope=use_arn_scope)
        if secret is None or not secret_id.startswith("arn:"):
            return key, secret
        _, _, _, region, account, *_ = secret_id.split(":")
        for name, candidate in service._secrets.items_scoped(account, region):
            if secret_id in (candidate["ARN"], candidate["ARN"][:-7]):
                return name, candidate
        return None, None

    return resolve


def _publish_new_version(secret: Record, secret_string: str | None = None, secret_binary: str | None = None) -> str:
    """Put a value for another service of ministack, as the function of this name that it replaces."""
    version_id, value = str(uuid.uuid4()), {"SecretString": secret_string, "SecretBinary": secret_binary}
    with _lock:
        _changed(secret, secret_versions.add_version(secret, version_id, value, [CURRENT], now()))
    return version_id


def _without_empty_members(describe: Handler) -> Handler:
    """ "Secrets Manager only returns fields that have a value in the response" (API, DescribeSecret)."""

    def handle(request: Record) -> Response:
        status, headers, body = describe(request)
        answer = json.loads(body)
        for found in answer.get("SecretList", [answer]):
            for member in [name for name, value in found.items() if not value]:
                del found[member]
        return status, headers, json.dumps(answer).encode()

    return handle


def _create_from_template(create: Callable[..., Any]) -> Callable[..., Any]:
    """Create a secret as CloudFormation does: a name that is taken fails, and without a value there is no version."""

    def handle(logical_id: str, properties: Record, stack_name: str) -> Any:
        with _lock:
            if properties.get("Name") in service._secrets:
                raise ValueError(f"The operation failed because the secret {properties['Name']} already exists.")
            name, attributes = create(logical_id, properties, stack_name)
            if not properties.get("SecretString") and not properties.get("GenerateSecretString"):
                service._secrets[name]["Versions"] = {}
            return name, attributes

    return handle
