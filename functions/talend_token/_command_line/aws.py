"""Calls AWS with the account and Region of the options, and turns its errors into one line with the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from talend_token._command_line.failure import DENIED, FAILED, NO_TOKEN, UNREACHABLE, USAGE, CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    import boto3

T = TypeVar("T")
NO_RIGHT = ("AccessDenied", "AccessDeniedException")

# Longer than the functions' timeout of 60 seconds, because an earlier timeout would hide the outcome.
_INVOKE_READ_TIMEOUT_SECONDS = 65
_GET_RIGHT = (
    "Check the role's policies, and that of the KMS key if there is one; docs/command-line.md lists the rights."
)
_LOG_IN = "Log in again (`aws sso login`), or name other credentials by --profile."
_NO_ANSWER = "Check the network, the proxy and --region, or try again."
_FIXES = {
    USAGE: {
        "NoRegionError": "Name one by --region or AWS_DEFAULT_REGION.",
        "ProfileNotFound": "Name one of `aws configure list-profiles`.",
        "InvalidRegionError": "Name one like eu-west-1.",
        "ConfigParseError": "Fix the file ~/.aws/config.",
    },
    DENIED: {
        "AccessDeniedException": _GET_RIGHT,
        "AccessDenied": _GET_RIGHT,
        "DecryptionFailure": _GET_RIGHT,
        "NoCredentialsError": "Log in (`aws sso login`), or name credentials by --profile.",
        "PartialCredentialsError": "Complete them, or name others by --profile.",
        **dict.fromkeys(("CredentialRetrievalError", "ExpiredToken", "ExpiredTokenException"), _LOG_IN),
        **dict.fromkeys(("SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError"), _LOG_IN),
        **dict.fromkeys(("InvalidClientTokenId", "UnrecognizedClientException"), _LOG_IN),
        **dict.fromkeys(
            ("InvalidSignatureException", "RequestExpired", "SignatureDoesNotMatch"),
            "Check this machine's clock, then the AWS credentials.",
        ),
    },
    NO_TOKEN: {
        "ResourceNotFoundException": "Check --stack, --account, --region and --profile.",
        "InvalidRequestException": "If the secret is marked for deletion, restore it.",
    },
    UNREACHABLE: dict.fromkeys(
        (
            *("ConnectTimeoutError", "ConnectionClosedError", "ConnectionError", "EndpointConnectionError"),
            *("HTTPClientError", "ProxyConnectionError", "ReadTimeoutError", "SSLError"),
            *("InternalFailure", "InternalServiceError", "ServiceException", "ServiceUnavailable"),
            *("Throttling", "ThrottlingException", "TooManyRequestsException", "500", "502", "503", "504"),
            "an unexpected answer",
        ),
        _NO_ANSWER,
    ),
}


class AWSError(CommandError):
    """A call to AWS failed. `code` is the service's error code, or the SDK's exception name."""

    def __init__(self, subject: str, code: str, detail: str = "") -> None:
        exit_code = next((exit_code for exit_code, fixes in _FIXES.items() if code in fixes), FAILED)
        fix = _FIXES.get(exit_code, {}).get(code, "Try again with --debug.")
        super().__init__(f"{subject}: {code}{detail}. {fix}", exit_code)
        self.code = code


class AWS:
    """The AWS account and Region that the options and the environment name."""

    def __init__(self, profile: str | None, region: str | None) -> None:
        self._profile = profile
        self._region = region
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def session(self) -> boto3.Session:
        """The session, which is created at its first use.

        Raises:
            AWSError: there is no such profile.
        """
        if self._session is None:
            import boto3
            from botocore.exceptions import BotoCoreError

            try:
                self._session = boto3.session.Session(profile_name=self._profile, region_name=self._region)
            except BotoCoreError as error:
                raise AWSError(f"profile {self._profile!r}", type(error).__name__) from None
        return self._session  # type: ignore[no-any-return]

    @property
    def region(self) -> str:
        """The Region's name, for messages."""
        return self.session.region_name or "no Region"

    def call(self, service: str, subject: str, use: Callable[[Any], T]) -> T:
        """Call `use` with a client of `service` and return its result. The error line starts with `subject`.

        Raises:
            AWSError: the call failed. The SDK's error is not its context, because that has the request in its frames.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        detail = ""
        try:
            return use(self._client(service))
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            if code in NO_RIGHT:
                detail = f" on {error.operation_name}"
        except BotoCoreError as error:
            code = type(error).__name__
        raise AWSError(subject, code, detail)

    def _client(self, service: str) -> Any:
        if service in self._clients:
            return self._clients[service]
        from botocore.config import Config

        config = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
        if service == "lambda":
            # The SDK must not invoke a function twice. The secret shows the result if the answer is lost.
            config = Config(
                connect_timeout=3, read_timeout=_INVOKE_READ_TIMEOUT_SECONDS, retries={"total_max_attempts": 1}
            )
        self._clients[service] = self.session.client(service, config=config)  # type: ignore[call-overload]
        return self._clients[service]
