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
_UNEXPECTED = "an unexpected answer"
_FIXES = {
    "ResourceNotFoundException": "Check its name and the Region. If it is new, force the first rotation.",
    "AccessDeniedException": "Attach the managed policy of the stack's output ConsumerPolicyArn to this role.",
    "NoCredentialsError": "Provide this process with AWS credentials, or set TALEND_ACCESS_TOKEN to work without AWS.",
    "NoRegionError": "Set AWS_DEFAULT_REGION, or use the secret's ARN.",
    _UNEXPECTED: "The answer may not be from AWS. Check AWS_ENDPOINT_URL, the proxy, or the test's stub.",
}
_DENIED = ("AccessDeniedException", "ResourceNotFoundException")
# Longer than the renew function's timeout of 30 seconds, because an earlier timeout would hide the outcome.
_RENEW_READ_TIMEOUT_SECONDS = 35


class SecretsManagerSource:
    """See `talend_token._sources.TokenSource`."""

    def __init__(
        self, token_secret: str, renew_function: str | None = None, *, session: boto3.Session | None = None
    ) -> None:
        """Create a source. Neither AWS nor boto3 is needed before the first read.

        Args:
            token_secret: name or ARN. The Region of an ARN takes precedence over the session's.
            renew_function: name or ARN. Without it, only the schedule replaces a rejected token.
            session: a session with the credentials of the consumer's role. By default, boto3's default session if the
                program has set it up, or else a new one.
        """
        self._token_secret = token_secret
        self._renew_function = renew_function
        self._session = session
        self._clients: dict[tuple[int, str], Any] = {}
        self._name = token_secret

    def read(self) -> Published:
        try:
            return self._call("secretsmanager", self._token_secret, self._get)
        except _AWSError as error:
            code = reason = error.code
            fix = _FIXES.get(error.code, "Try again. If this continues, check the AWS Health Dashboard.")
        except InvalidTokenDocument as error:
            code = None
            reason, fix = f"it does not hold a token document: {error}", "Force a rotation, which publishes one."
        raise TokenUnavailable(f"{self} cannot be read: {reason}. {fix}", code=code)

    def _get(self, client: Any) -> Published:
        answer = Sensitive(client.get_secret_value(SecretId=self._token_secret))
        # A stub may leave out the name. An answer without the other members is not from Secrets Manager.
        self._name = str(answer.reveal().get("Name", self._name))
        version_id = str(answer.reveal()["VersionId"])
        document = TokenDocument.from_json(Sensitive(answer.reveal().get("SecretString", "")))
        token = Token(
            document.access_token,
            expires_at=document.expires_at,
            version_id=version_id,
            api_url=document.api_url,
        )
        headers = answer.reveal().get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return Published(token, document.issued_at, _date(headers))

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

        def invoke(client: Any) -> tuple[bool, bytes]:
            answer = _invoke(client, function, event)
            return "FunctionError" in answer, answer["Payload"].read()

        try:
            failed, payload = self._call("lambda", function, invoke)
            answer = json.loads(payload)
            if not failed:
                return _renewal(answer)
            problem = str(answer.get("errorMessage"))
        except _AWSError as error:
            raise self._not_renewed(rejected_version_id, error.code) from None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            problem = "its answer is not that of a renew function. Check TALEND_RENEW_FUNCTION."
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

    def _call(self, service: str, resource: str, use: Callable[[Any], T]) -> T:
        """Call AWS on a new connection and return the result of `use`.

        The connection is closed because the next call comes minutes later. By then, a gateway, a firewall or AWS may
        have dropped the connection, and a request on it would be reset, or be lost until its timeout.

        Raises:
            _AWSError: the call failed. The SDK's error is not its context, because that has the answer in its frames.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client = self._client(service, resource)
            try:
                return use(client)
            finally:
                client.close()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
        except BotoCoreError as error:
            code = type(error).__name__
        except InvalidTokenDocument:
            raise
        except Exception:  # noqa: BLE001 (a parser failed, because the answer is not what AWS documents)
            code = _UNEXPECTED
        raise _AWSError(code)

    def _client(self, service: str, resource: str) -> Any:
        """Return the client of this process. After a fork, two processes must not write to the same connection."""
        key = (os.getpid(), service)
        if key not in self._clients:
            import boto3

            session: Any = self._session or boto3.DEFAULT_SESSION or boto3.session.Session()
            region = resource.split(":")[3] if resource.startswith("arn:") else None
            self._clients[key] = session.client(service, region_name=region, config=_config(service))
        return self._clients[key]

    def __str__(self) -> str:
        return f"token secret {self._name!r}"

    def __copy__(self) -> SecretsManagerSource:
        return type(self)(self._token_secret, self._renew_function, session=self._session)

    def __deepcopy__(self, _: object) -> SecretsManagerSource:
        return self.__copy__()

    def __reduce__(self) -> tuple[type[SecretsManagerSource], tuple[str, str | None]]:
        """Keep only the names in a pickle."""
        if self._session is not None:
            raise TypeError(
                "a source with a boto3 session cannot be pickled, because the session may hold AWS credentials. Create "
                "the source in the other process, or let it use boto3's default session there."
            )
        return type(self), (self._token_secret, self._renew_function)


class _AWSError(Exception):
    """A call to AWS failed with the error code `code`."""

    def __init__(self, code: str) -> None:
        self.code = code


def _invoke(client: Any, function: str, event: Mapping[str, str]) -> Any:
    """Invoke the renew function, and invoke it again if the connection is closed before it answers.

    That does not renew twice, because the second invocation names the same version. After a read timeout the function
    is not invoked again, because it may have run all that time.
    """
    from botocore.exceptions import ConnectionClosedError

    request = {"FunctionName": function, "Payload": json.dumps(event).encode()}
    try:
        return client.invoke(**request)
    except ConnectionClosedError:
        return client.invoke(**request)


def _renewal(answer: Any) -> Renewal:
    if not isinstance(answer["outcome"], str):
        raise TypeError
    return Renewal(answer["outcome"], float(answer.get("retry_after_seconds") or 0))


def _config(service: str) -> Any:
    """Return a configuration with our own retries and time limits, because the SDK's defaults change."""
    from botocore.config import Config

    if service == "lambda":
        # The SDK need not repeat the call, because the secret shows a renewal whose answer was lost.
        return Config(connect_timeout=2, read_timeout=_RENEW_READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1})
    return Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})


def _date(headers: Mapping[str, str]) -> float | None:
    """Return the time at which AWS answered [RFC 9110, 6.6.1], or None if the answer has no valid date."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None


def _account(secret_name: str) -> str | None:
    """Return the account in `<prefix>/<account>/token`. An ARN has seven more characters after that name."""
    name = secret_name.split(":")[6][:-7] if secret_name.startswith("arn:") else secret_name
    parts = name.split("/")
    return parts[-2] if len(parts) > 1 and parts[-1] == "token" else None
