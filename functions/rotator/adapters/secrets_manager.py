"""AWS Secrets Manager, by boto3."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from rotator.domain.errors import SecretStoreError
from rotator.ports import SecretVersion
from talend_token.document import Sensitive

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_secretsmanager.type_defs import DescribeSecretResponseTypeDef

_CHECK_KEY = "Check that its KMS key is enabled and that the key's policy lets the function's role use it."
_FIXES = {
    "ResourceNotFoundException": "Create it, or check the account's name and the stack's SecretPrefix.",
    "AccessDeniedException": (
        "Check that it exists: AWS denies access to a name that does not. Then check the rights of the function's role."
    ),
    "InvalidRequestException": "If it is scheduled for deletion, restore it with `aws secretsmanager restore-secret`.",
    "LimitExceededException": "It has 100 versions younger than 24 hours: find who writes them, or wait a day.",
    "DecryptionFailure": _CHECK_KEY,
    "EncryptionFailure": _CHECK_KEY,
}
_TRY_AGAIN = "The next run tries again; if it goes on, look at the AWS Health Dashboard."


def secrets_manager_client() -> SecretsManagerClient:
    """A client whose retries and time limits are ours and not the SDK's defaults, which change."""
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("secretsmanager", config=config)


class SecretsManagerStore:
    """See `rotator.ports.SecretStore`."""

    def __init__(self, client: SecretsManagerClient) -> None:
        self._client = client

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        def get() -> SecretVersion:
            answer = Sensitive(self._client.get_secret_value(SecretId=secret_id, VersionStage=stage))
            return SecretVersion(
                version_id=answer.reveal()["VersionId"],
                stages=frozenset(answer.reveal()["VersionStages"]),
                text=Sensitive(answer.reveal()["SecretString"]) if "SecretString" in answer.reveal() else None,
                arn=answer.reveal()["ARN"],
                created_at=answer.reveal()["CreatedDate"].timestamp(),
            )

        try:
            return self._call("GetSecretValue", secret_id, get)
        except SecretStoreError as error:
            if error.code != "ResourceNotFoundException":
                raise
        # The same code stands for "no such secret" and for "no version with that label".
        self._describe(secret_id)
        return None

    def key(self, secret_id: str) -> str | None:
        return self._describe(secret_id).get("KmsKeyId")

    def created(self, secret_id: str) -> list[float]:
        def read() -> list[float]:
            found: list[float] = []
            page: dict[str, str] = {}
            while True:
                answer = self._client.list_secret_version_ids(
                    SecretId=secret_id, IncludeDeprecated=True, MaxResults=100, **page
                )
                found += [version["CreatedDate"].timestamp() for version in answer["Versions"]]
                if not answer.get("NextToken"):
                    return found
                page = {"NextToken": answer["NextToken"]}

        return self._call("ListSecretVersionIds", secret_id, read)

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> SecretVersion:
        def put() -> SecretVersion:
            answer = self._client.put_secret_value(
                SecretId=secret_id,
                ClientRequestToken=version_id,
                SecretString=text.reveal(),
                VersionStages=["AWSPENDING"],
            )
            return SecretVersion(version_id, frozenset(answer["VersionStages"]), text, answer["ARN"])

        return self._call("PutSecretValue", secret_id, put)

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        def move() -> None:
            swap = {"RemoveFromVersionId": replaced} if replaced else {}
            self._client.update_secret_version_stage(
                SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=version_id, **swap
            )

        try:
            self._call("UpdateSecretVersionStage", secret_id, move)
        except SecretStoreError as error:
            # What Secrets Manager answers if `replaced` does not hold the label [API UpdateSecretVersionStage].
            if error.code != "InvalidParameterException":
                raise
        else:
            return True
        # The SDK may have repeated a call whose answer was lost: then the label has moved, and to this version.
        return "AWSCURRENT" in self._describe(secret_id).get("VersionIdsToStages", {}).get(version_id, [])

    def _describe(self, secret_id: str) -> DescribeSecretResponseTypeDef:
        return self._call("DescribeSecret", secret_id, lambda: self._client.describe_secret(SecretId=secret_id))

    def _call[T](self, operation: str, secret_id: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except ClientError as error:
            code = error.response["Error"]["Code"]
        except BotoCoreError as error:
            code = type(error).__name__
        # Raised out here, with only the code: the SDK's error has the whole request among its frames.
        raise SecretStoreError(operation, secret_id, code, _FIXES.get(code, _TRY_AGAIN))
