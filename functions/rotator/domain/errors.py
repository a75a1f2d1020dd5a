"""The errors that the functions raise.

    RotatorError
    ├── InvalidSettings       the function's environment variables
    ├── InvalidEvent          the event that the function was invoked with
    ├── CredentialsError      the credentials secret is missing or malformed
    │   └── NoCredentialsYet  the credentials secret has never had a value
    ├── SecretStoreError      Secrets Manager refused or failed
    ├── LockUnavailable       the lock table refused or failed
    ├── ReplacementInProgress another run is replacing the same version (reported as a result, not as a failure)
    ├── CircuitOpen           no request was sent, because the token endpoint has just refused
    └── TokenEndpointError    the token endpoint did not return a usable token
        ├── CredentialsRefused  a permanent refusal: 400, 401 or 403
        ├── TokenUnavailable    no answer, or a failure that may be temporary
        └── InvalidTokenResponse  an answer without a token that may be published
            ├── RejectedTokenAgain  the rejected token, once more
            └── TokenRejectedByProbe  a token to which the API answered 401

Messages name the account's secrets and the fix. They never hold a credential, a token, or a response's body.
"""

from __future__ import annotations


class RotatorError(Exception):
    """Base class of all errors in this module."""


class InvalidSettings(RotatorError):
    """The function's environment variables are incomplete or wrong. The message names every problem."""


class InvalidEvent(RotatorError):
    """The event is not one that the function documents."""


class CredentialsError(RotatorError):
    """The credentials secret is missing or malformed. `secret_id` is its name or ARN."""

    def __init__(self, secret_id: str, problem: str, fix: str) -> None:
        super().__init__(f"credentials secret {secret_id!r} {problem}. {fix}")
        self.secret_id = secret_id


class NoCredentialsYet(CredentialsError):
    """The credentials secret has never had a value."""

    def __init__(self, secret_id: str) -> None:
        fix = (
            f"Store one: `aws secretsmanager put-secret-value --secret-id {secret_id} --secret-string file://pair.txt`."
        )
        super().__init__(secret_id, "has no value yet", fix)


class SecretStoreError(RotatorError):
    """Secrets Manager refused or failed. `code` is the service's error code, or the client's exception name; `attempts`
    is how often the SDK has sent the request, if the service has answered."""

    def __init__(self, operation: str, secret_id: str, code: str, fix: str, attempts: int = 1) -> None:
        super().__init__(f"{operation} on secret {secret_id!r} failed with {code}. {fix}")
        self.operation = operation
        self.secret_id = secret_id
        self.code = code
        self.attempts = attempts


class LockUnavailable(RotatorError):
    """The lock table refused or failed. `table` is its name, `code` the client's exception name."""

    def __init__(self, account: str, table: str, code: str) -> None:
        super().__init__(
            f"lock table {table!r} failed with {code} for account {account!r}. Check that it exists and that the "
            "function's role may use it. Until then renewals fail, but scheduled and forced rotations continue "
            "without the lock."
        )
        self.account = account
        self.table = table
        self.code = code


class ReplacementInProgress(RotatorError):
    """Another run is replacing the same version right now."""


class CircuitOpen(RotatorError):
    """No request was sent: the endpoint has just refused these credentials or returned an unusable token."""

    def __init__(self, secret_id: str, open_seconds: int) -> None:
        super().__init__(
            f"no token was requested: less than {open_seconds} s ago the token endpoint refused the credentials in "
            f"secret {secret_id!r}, or returned an unusable token. Fix the credentials secret, which is then tried at "
            "once, or force a rotation."
        )
        self.secret_id = secret_id
        self.open_seconds = open_seconds


class TokenEndpointError(RotatorError):
    """The token endpoint did not return a usable token.

    `url` is the token endpoint, `secret_id` the credentials secret, and `status` the HTTP status if there was one.
    """

    def __init__(
        self, url: str, secret_id: str, problem: str, fix: str, *, status: int | None = None, attempts: int = 1
    ) -> None:
        tries = "" if attempts == 1 else f" after {attempts} attempts"
        super().__init__(f"token endpoint {url} {problem}{tries} for the credentials in secret {secret_id!r}. {fix}")
        self.url = url
        self.secret_id = secret_id
        self.status = status
        self.attempts = attempts


class CredentialsRefused(TokenEndpointError):
    """The endpoint answered 400, 401 or 403, so it would refuse the same request again (RFC 6749 section 5.2)."""


class TokenUnavailable(TokenEndpointError):
    """The endpoint did not answer, or could not serve the request for now.

    `retry_after` is the unparsed Retry-After field of the response.
    """

    def __init__(
        self,
        url: str,
        secret_id: str,
        problem: str,
        fix: str,
        *,
        status: int | None = None,
        attempts: int = 1,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(url, secret_id, problem, fix, status=status, attempts=attempts)
        self.retry_after = retry_after


class InvalidTokenResponse(TokenEndpointError):
    """The endpoint's answer does not hold a token that may be published."""


class RejectedTokenAgain(InvalidTokenResponse):
    """The endpoint returned the token that the API rejected, so another request would not help."""

    def __init__(self, url: str, secret_id: str) -> None:
        fix = "If the API keeps rejecting it, check the account's permissions and the API URL, and report it to Talend."
        super().__init__(url, secret_id, "returned the rejected token again", fix, status=200)


class TokenRejectedByProbe(InvalidTokenResponse):
    """The API answered 401 to the new token on the probe path, so it would answer 401 to consumers too."""

    def __init__(self, url: str, secret_id: str, probe_url: str) -> None:
        fix = "Nothing was published. Check the account's permissions, the API URL and the probe path."
        super().__init__(url, secret_id, f"returned a token to which {probe_url} answered 401", fix, status=200)
