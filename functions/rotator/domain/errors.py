"""Every error that the functions raise on purpose.

    RotatorError
    ├── InvalidSettings       the function's environment variables
    ├── InvalidEvent          what the function was invoked with
    ├── CredentialsError      the credentials secret is missing or malformed
    │   └── NoCredentialsYet  the credentials secret has never had a value
    ├── SecretStoreError      Secrets Manager refused or failed
    ├── LockUnavailable       the lock table refused or failed
    ├── ReplacementInProgress another run is replacing the same version (an answer, not a failure)
    ├── CircuitOpen           the token endpoint was not asked, because it refused a moment ago
    └── TokenEndpointError    no usable token came back
        ├── CredentialsRefused  a permanent refusal: 400, 401 or 403
        ├── TokenUnavailable    no answer, or one that may be better next time
        └── InvalidTokenResponse  an answer that must not be published
            ├── RejectedTokenAgain  the token that was to be replaced
            └── TokenRejectedByProbe  a token that the API answered 401 to

Messages name the account's secrets and say what to do. They never hold a credential, a token, or a response's body.
"""

from __future__ import annotations


class RotatorError(Exception):
    """Base of all errors here."""


class InvalidSettings(RotatorError):
    """The function's environment variables are incomplete or wrong; one message names all that is wrong."""


class InvalidEvent(RotatorError):
    """The event is not one that the function documents."""


class CredentialsError(RotatorError):
    """The credentials secret cannot be used as it is. `secret_id` is its name or ARN."""

    def __init__(self, secret_id: str, problem: str, fix: str) -> None:
        super().__init__(f"credentials secret {secret_id!r} {problem}. {fix}")
        self.secret_id = secret_id


class NoCredentialsYet(CredentialsError):
    """The credentials secret has never had a value."""

    def __init__(self, secret_id: str) -> None:
        fix = (
            f"Store it: `aws secretsmanager put-secret-value --secret-id {secret_id} --secret-string file://pair.txt`."
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
            "function's role may use it. Until then renewals fail, while the schedule and forced rotations go on "
            "without the lock."
        )
        self.account = account
        self.table = table
        self.code = code


class ReplacementInProgress(RotatorError):
    """Another run is replacing the same version at this moment."""


class CircuitOpen(RotatorError):
    """The endpoint has just refused these credentials or returned an unusable token, and is not asked for a while."""

    def __init__(self, secret_id: str, open_seconds: int) -> None:
        super().__init__(
            f"the token endpoint was not asked: less than {open_seconds} s ago it refused the credentials in secret "
            f"{secret_id!r}, or returned an unusable token. Fix the credentials secret, which is tried at once, or "
            "force a rotation."
        )
        self.secret_id = secret_id
        self.open_seconds = open_seconds


class TokenEndpointError(RotatorError):
    """No usable token came back. `url` is the token endpoint, `secret_id` the secret whose credentials were sent,
    `status` the HTTP status if there was one."""

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
    """400, 401 or 403: the same request will be refused again (RFC 6749 section 5.2)."""


class TokenUnavailable(TokenEndpointError):
    """The endpoint did not answer, or answered that it could not serve the request for now.

    `retry_after` is the response's Retry-After field as it came.
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
    """The endpoint answered with something that must not be published."""


class RejectedTokenAgain(InvalidTokenResponse):
    """The endpoint returned the token that a consumer's API rejected: another request would not help."""

    def __init__(self, url: str, secret_id: str) -> None:
        fix = "If the API goes on rejecting it, check the account's rights and the API URL, and report it to Talend."
        super().__init__(url, secret_id, "returned the rejected token again", fix, status=200)


class TokenRejectedByProbe(InvalidTokenResponse):
    """The API answered 401 to the new token on the probe path, so it would answer 401 to consumers too."""

    def __init__(self, url: str, secret_id: str, probe_url: str) -> None:
        fix = "Nothing was published. Check the account's rights, the API URL and the probe path."
        super().__init__(url, secret_id, f"returned a token to which {probe_url} answered 401", fix, status=200)
