"""What a request to Secrets Manager says, held to the service model, and what its caller may do with the KMS key."""

import base64
import binascii
import contextvars
import re
import uuid
from collections.abc import Callable
from typing import Any

import botocore.session
from ministack import app
from ministack.core.iam_evaluator import enforce
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id
from ministack.services import kms

from local_aws.secret_versions import VALUE_MEMBERS, VERSIONS_QUOTA, Record, Refusal, has_value

# "The secret name can contain ASCII letters, numbers, and the following characters: /_+=.@-" (API, CreateSecret).
NAME = re.compile(r"[A-Za-z0-9/_+=.@-]+")
# What encrypts a secret that names no key; everybody in the account may use it.
AWS_MANAGED_KEY = "alias/aws/secretsmanager"

_MODEL = botocore.session.Session().get_service_model("secretsmanager")
# Whose request this is; None inside the server (CloudFormation), where no caller's rights are in question.
_access_key: contextvars.ContextVar[str | None] = contextvars.ContextVar("access_key", default=None)


def checked(operation: str, request: Record) -> Record:
    """The members of a request that have a value, within the lengths and ranges of the service model.

    An SDK checks the lower bounds only. What is out of bounds is an InvalidParameterException, the one error for it
    that the operations document.
    """
    shape: Any = _MODEL.operation_model(operation).input_shape
    given = {name: member for name, member in request.items() if member is not None}
    # A template that no longer names a key says null, which is the API's empty string: the AWS managed key.
    if "KmsKeyId" in request:
        given["KmsKeyId"] = request["KmsKeyId"] or ""
    missing = [name for name in shape.required_members if not given.get(name)]
    if missing:
        raise Refusal("InvalidParameterException", f"You must provide a value for {missing[0]}.")
    for name in given.keys() & shape.members.keys():
        member, kind = given[name], shape.members[name]
        # How many labels there may be is a quota of the secret, with an error of its own.
        for one in member if kind.type_name == "list" else [member]:
            _check_bounds(name, one, kind.member if kind.type_name == "list" else kind)
    if not NAME.fullmatch(given.get("Name", "-")):
        raise Refusal("InvalidParameterException", "Invalid name: use ASCII letters, digits and the characters /_+=.@-")
    return given


def _check_bounds(name: str, value: Any, kind: Any) -> None:
    if kind.type_name not in ("string", "blob", "integer", "long"):
        return
    size = value
    if kind.type_name == "blob":
        try:
            size = len(base64.b64decode(value, validate=True))
        except binascii.Error:
            raise Refusal("InvalidParameterException", f"{name} is not Base64.") from None
    elif kind.type_name == "string":
        # The quota of a secret counts bytes, everything else is counted in characters.
        size = len(value.encode()) if name == "SecretString" else len(value)
    least, most = kind.metadata.get("min", 0), kind.metadata.get("max", size)
    if not least <= size <= most:
        raise Refusal("InvalidParameterException", f"{name} is {size} long or large, and has to be {least} to {most}.")


def token_of(request: Record) -> str:
    """The ClientRequestToken, which becomes the VersionId; SDKs send one with every request."""
    return request.get("ClientRequestToken") or str(uuid.uuid4())


def value_of(request: Record) -> Record | None:
    """The value that a request brings, as a version holds it; None if there is none."""
    value = {member: request.get(member) for member in VALUE_MEMBERS}
    if all(value.values()):
        raise Refusal(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )
    return value if has_value(value) else None


def page_of(request: Record, total: int) -> tuple[int, int, Record]:
    """Start and end of the page that MaxResults and NextToken ask for, and the answer's own NextToken if any."""
    try:
        start = int(base64.b64decode(request.get("NextToken", "MA=="), validate=True))
    except ValueError:
        raise Refusal("InvalidNextTokenException", "The NextToken value is invalid.") from None
    end = start + request.get("MaxResults", VERSIONS_QUOTA)
    return start, end, {"NextToken": base64.b64encode(b"%d" % end).decode()} if end < total else {}


def with_caller(handle_request: Callable[..., Any]) -> Callable[..., Any]:
    """Note whose request is served, as far as the server checks rights."""

    async def handle(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        caller = _access_key.set((extract_access_key_id(headers, query) or "") if app.AUTH else None)
        try:
            return await handle_request(method, path, headers, body, query)
        finally:
            _access_key.reset(caller)

    return handle


def check_key(secret: Record, failure: str, *actions: str) -> None:
    """Hold the caller to its rights on a customer managed key, and the key to being usable (`failure` if it is not).

    "If the secret is encrypted using a customer-managed key ..., then you also need kms:Decrypt permissions for that
    key" (API, GetSecretValue); CreateSecret, PutSecretValue and UpdateSecret need kms:GenerateDataKey too.
    """
    name, caller = secret.get("KmsKeyId") or AWS_MANAGED_KEY, _access_key.get()
    if name.endswith(AWS_MANAGED_KEY):
        return
    key = kms._resolve_key(name)
    if key is None or kms._check_key_state(key):
        raise Refusal(
            failure, "The KMS key of the secret does not exist, or is in a state that does not allow its use."
        )
    context = {"kms:ViaService": f"secretsmanager.{get_region()}.amazonaws.com"}
    for action in actions if caller is not None else ():
        if enforce(caller, action, "kms", get_region(), resource_arn=key["Arn"], service_context=context):
            raise Refusal("AccessDeniedException", "Access to KMS is not allowed")
