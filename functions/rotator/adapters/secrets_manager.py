"""Reads and writes secrets in AWS Secrets Manager, with boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from rotator.domain.errors import SecretStoreError
from rotator.ports import SecretDescription, SecretVersion
from talend_token.document import Sensitive

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_secretsmanager import SecretsManagerClient

_UNEXPECTED_ANSWER = "UnexpectedAnswer"
_CHECK_KEY = "Check that its KMS key is enabled and that the key's policy lets the function's role use it."
_FIXES = {
    "ResourceNotFoundException": "Create it, or check the account's name and the stack's SecretPrefix.",
    "AccessDeniedException": (
        "Check that it exists, because AWS also denies access to missing secrets. Then check the permissions "
        "of the function's role."
    ),
    "InvalidRequestException": "If it is scheduled for deletion, restore it with `aws secretsmanager restore-secret`.",
    "LimitExceededException": "It has 100 versions younger than 24 hours. Find out what writes them, or wait a day.",
    "DecryptionFailure": _CHECK_KEY,
    "EncryptionFailure": _CHECK_KEY,
    _UNEXPECTED_ANSWER: (
        "The answer is not from Secrets Manager. Check AWS_ENDPOINT_URL variables, proxies and VPC endpoints."
    ),
}
_TRY_AGAIN = "The next run tries again. If this continues, check the AWS Health Dashboard."
# The members that must be strings in every answer, with the default for a missing one.
_STRINGS = {"ARN": None, "SecretString": ""}
# If the version to replace does not have the label, AWS documents the first code. It documents the second code without
# another reason that applies here [API UpdateSecretVersionStage].
_LABEL_MOVED = ("InvalidParameterException", "InvalidRequestException")


def secrets_manager_client(session: boto3.session.Session) -> SecretsManagerClient:
    """Return a client with our own retries and time limits, because the SDK's defaults change."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return session.client("secretsmanager", config=config)


class SecretsManagerStore:
    """See `rotator.ports.SecretStore`."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self._client = client

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        try:
            return self._call("GetSecretValue", secret_id, _version, VersionStage=stage)
        except SecretStoreError as error:
            if error.code != "ResourceNotFoundException":
                raise
        # The code means either that the secret does not exist, or that it has no version with that label.
        self._call("DescribeSecret", secret_id, _labels)
        return None

    def describe(self, secret_id: str) -> SecretDescription:
        return self._call("DescribeSecret", secret_id, _description)

    def created(self, secret_id: str) -> list[float]:
        found: list[float] = []
        page: dict[str, Any] = {}
        while True:
            times, token = self._call(
                "ListSecretVersionIds", secret_id, _page, IncludeDeprecated=True, MaxResults=100, **page
            )
            found += times
            if not token:
                return found
            page = {"NextToken": token}

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> frozenset[str]:
        version: dict[str, Any] = {"ClientRequestToken": version_id, "VersionStages": ["AWSPENDING"]}
        return self._call("PutSecretValue", secret_id, _stages, text=text, **version)

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        swap: dict[str, Any] = {"RemoveFromVersionId": replaced} if replaced else {}
        move: dict[str, Any] = {"VersionStage": "AWSCURRENT", "MoveToVersionId": version_id}
        try:
            self._call("UpdateSecretVersionStage", secret_id, _labels, **move, **swap)
        except SecretStoreError as error:
            if error.code not in _LABEL_MOVED:
                raise
            labels = self._call("DescribeSecret", secret_id, _labels)
            if replaced and "AWSCURRENT" in labels.get(replaced, []):
                # The label has not moved, so the code means something else.
                raise
            # If the SDK has repeated a call whose answer was lost, this call has moved the label. Otherwise another run
            # has published this version, which it found staged.
            return error.attempts > 1 and "AWSCURRENT" in labels.get(version_id, [])
        return True

    def _call[T](
        self,
        operation: str,
        secret_id: str,
        read: Callable[[Sensitive[Any]], T],
        *,
        text: Sensitive[str] | None = None,
        **parameters: Any,
    ) -> T:
        """Call an operation and return what `read` extracts from its answer. `text` is the SecretString to send."""
        method, attempts = getattr(self._client, xform_name(operation)), 1
        try:
            if text is None:
                answer = Sensitive(method(SecretId=secret_id, **parameters))
            else:
                answer = Sensitive(method(SecretId=secret_id, SecretString=text.reveal(), **parameters))
            # Every operation's answer names the secret, and the SDK does not check the types of an answer's members.
            if all(isinstance(answer.reveal().get(name, other), str) for name, other in _STRINGS.items()):
                return read(answer)
            code = _UNEXPECTED_ANSWER
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            attempts += error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        except (KeyError, TypeError, AttributeError, ValueError, ResponseParserError):
            code = _UNEXPECTED_ANSWER
        except Exception as error:  # noqa: BLE001 (the SDK lets errors of its HTTP library through, such as proxy errors)
            code = type(error).__name__
        # Raised after the handlers with only the code, because the SDK's error has the whole request in its frames.
        raise SecretStoreError(operation, secret_id, code, _FIXES.get(code, _TRY_AGAIN), attempts)


def _version(answer: Sensitive[Any]) -> SecretVersion:
    return SecretVersion(
        version_id=str(answer.reveal()["VersionId"]),
        stages=frozenset(answer.reveal()["VersionStages"]),
        text=Sensitive(answer.reveal()["SecretString"]) if "SecretString" in answer.reveal() else None,
        created_at=answer.reveal()["CreatedDate"].timestamp(),
    )


def _labels(answer: Sensitive[Any]) -> dict[str, list[str]]:
    return dict(answer.reveal().get("VersionIdsToStages", {}))


def _description(answer: Sensitive[Any]) -> SecretDescription:
    replicas = {
        replica["Region"]: ": ".join(filter(None, [replica["Status"], replica.get("StatusMessage")]))
        for replica in answer.reveal().get("ReplicationStatus", [])
    }
    key = answer.reveal().get("KmsKeyId")
    return SecretDescription(key, replicas) if key else SecretDescription(replicas=replicas)


def _page(answer: Sensitive[Any]) -> tuple[list[float], str | None]:
    times = [version["CreatedDate"].timestamp() for version in answer.reveal()["Versions"]]
    return times, answer.reveal().get("NextToken")


def _stages(answer: Sensitive[Any]) -> frozenset[str]:
    return frozenset(answer.reveal()["VersionStages"])
