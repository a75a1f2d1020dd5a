"""Reads the token secret in AWS Secrets Manager, and invokes the renew function, with boto3."""

from __future__ import annotations

import json
import os
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

from talend_token._sources import Published, Renewal
from talend_token._token import Token
from talend_token.document import Sensitive, TokenDocument
from talend_token.errors import InvalidTokenDocument, RenewalFailed, TokenUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import boto3

T = TypeVar("T")
_FIXES = {
    "ResourceNotFoundException": "Check its name and the Region; if it is new, force the first rotation.",
    "AccessDeniedException": "Attach the managed policy of the stack's output ConsumerPolicyArn to this role.",
    "NoCredentialsError": "Give this process AWS credentials, or set TALEND_ACCESS_TOKEN where there is no AWS.",
    "NoRegionError": "Set AWS_DEFAULT_REGION, or give the secret's ARN.",
}
_DENIED = ("AccessDeniedException", "ResourceNotFoundException")
# Longer than the renew function's own 30 seconds, because a client that gives up earlier does not learn the outcome.
_RENEW_READ_TIMEOUT_SECONDS = 35


class SecretsManagerSource:
    """See `talend_token._sources.TokenSource`."""

    def __init__(
        self, token_secret: str, renew_function: str | None = None, *, session: boto3.Session | None = None
    ) -> None:
        """Make a source. Neither AWS nor boto3 is needed before the first read.

        Args:
            token_secret: name or ARN; an ARN's Region wins over the session's.
            renew_function: name or ARN; without it, only the schedule replaces a rejected token.
            session: with the credentials of the consumer's role; boto3's usual ones by default.
        """
        self._token_secret = token_secret
        self._renew_function = renew_function
        self._session = session
        self._clients: dict[tuple[int, str], Any] = {}
        self._name = token_secret

    def read(self) -> Published:
        def get() -> Published:
            client = self._client("secretsmanager", self._token_secret)
            answer = Sensitive(client.get_secret_value(SecretId=self._token_secret))
            self._name = answer.reveal()["Name"]
            document = TokenDocument.from_json(Sensitive(answer.reveal().get("SecretString", "")))
            token = Token(
                document.access_token,
                expires_at=document.expires_at,
                version_id=answer.reveal()["VersionId"],
                api_url=document.api_url,
            )
            return Published(token, document.issued_at, _date(answer.reveal()["ResponseMetadata"]["HTTPHeaders"]))

        try:
            return _call(get)
        except _AWSError as error:
            code, fix = (
                error.code,
                _FIXES.get(error.code, "Try again; if it goes on, check the AWS Health Dashboard."),
            )
        except InvalidTokenDocument as error:
            code, fix = f"it holds no token document: {error}", "Force a rotation, which publishes one."
        raise TokenUnavailable(f"{self} cannot be read: {code}. {fix}")

    def renew(self, rejected_version_id: str) -> Renewal:
        function = self._renew_function
        if not function:
            raise RenewalFailed(
                f"{self}: version {rejected_version_id} was rejected, but no renew function is configured. Set "
                "TALEND_RENEW_FUNCTION to the stack's output RenewFunctionName.",
                outcome="not_configured",
                retry_after_seconds=60,
            )
        event: dict[str, str] = {"rejected_version_id": rejected_version_id}
        account = _account(self._name)
        if account:
            event["account"] = account

        def invoke() -> tuple[bool, Any]:
            client = self._client("lambda", function)
            answer = client.invoke(FunctionName=function, Payload=json.dumps(event).encode())
            return "FunctionError" in answer, json.loads(answer["Payload"].read())

        try:
            failed, answer = _call(invoke)
            if not failed:
                return Renewal(str(answer["outcome"]), float(answer.get("retry_after_seconds") or 0))
            problem = str(answer.get("errorMessage"))
        except _AWSError as error:
            raise self._not_renewed(rejected_version_id, error.code) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            problem = "its answer is not a renew function's: check TALEND_RENEW_FUNCTION"
        raise RenewalFailed(
            f"{self}: version {rejected_version_id} was rejected, and function {function!r} failed to "
            f"replace it: {problem}",
            may_show=True,
        )

    def _not_renewed(self, rejected: str, code: str) -> RenewalFailed:
        text = f"{self}: version {rejected} was rejected, and function {self._renew_function!r} could not be invoked"
        if code in _DENIED:
            fix = "Check its name, and attach the managed policy of the stack's output ConsumerPolicyArn to this role."
            return RenewalFailed(f"{text}: {code}. {fix}", outcome="denied", retry_after_seconds=60)
        if code == "TooManyRequestsException":
            return RenewalFailed(f"{text}: {code}.", outcome="throttled", may_show=True)
        return RenewalFailed(f"{text}: {code}.", may_show=True)

    def _client(self, service: str, resource: str) -> Any:
        """Return this process's client: after a fork, two processes must not write into one connection."""
        key = (os.getpid(), service)
        if key not in self._clients:
            import boto3

            session: Any = self._session or boto3.session.Session()
            region = resource.split(":")[3] if resource.startswith("arn:") else None
            self._clients[key] = session.client(service, region_name=region, config=_config(service))
        return self._clients[key]

    def __str__(self) -> str:
        return f"token secret {self._name!r}"


class _AWSError(Exception):
    """A call of AWS failed."""

    def __init__(self, code: str) -> None:
        self.code = code


def _config(service: str) -> Any:
    """Return retries and time limits of our own, because the SDK's defaults change."""
    from botocore.config import Config

    if service == "lambda":
        # A renewal whose answer was lost shows in the secret, so there is no reason to invoke twice.
        return Config(connect_timeout=2, read_timeout=_RENEW_READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    return Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})


def _call(call: Callable[[], T]) -> T:
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
    except InvalidTokenDocument:
        raise
    except Exception as error:  # noqa: BLE001 (the SDK raises errors of other libraries too)
        code = type(error).__name__
    # Raised here, with nothing but the code, because the SDK's error has the whole answer among its frames.
    raise _AWSError(code)


def _date(headers: Mapping[str, str]) -> float | None:
    """Return when AWS answered [RFC 9110, 6.6.1]."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


def _account(secret_name: str) -> str | None:
    """Return the account of `<prefix>/<account>/token`. An ARN ends in that name and seven more characters."""
    name = secret_name.split(":")[6][:-7] if secret_name.startswith("arn:") else secret_name
    parts = name.split("/")
    return parts[-2] if len(parts) > 1 and parts[-1] == "token" else None
