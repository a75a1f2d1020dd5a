"""Every error that the functions raise on purpose.

    RotatorError
    ├── InvalidSettings       the function's environment variables
    ├── InvalidEvent          what the function was invoked with
    ├── InvalidApiUrl         the API's base URL, from the stack or from the credentials secret
    ├── CredentialsError      the credentials secret is missing, empty or malformed
    ├── SecretStoreError      Secrets Manager refused or failed
    ├── LockUnavailable       the lock table refused or failed
    ├── EventNotSent          the event bus refused or failed (a warning, not a failure)
    ├── ReplacementInProgress another run is replacing the same version (an answer, not a failure)
    └── TokenEndpointError    no usable token came back
        ├── TokenRefused      a permanent no: 400, 401 or 403
        ├── CircuitOpen       not asked, because it refused a moment ago
        ├── TokenUnavailable  no answer, or one that may be better next time
        └── InvalidTokenResponse  an answer that is not a token
            ├── RejectedTokenAgain  the token that was to be replaced
            └── TokenRejectedByProbe  a token that the API answered 401 to

Messages name accounts and secrets and say what to do. They never hold a credential, a token, or a response's body.
"""

from __future__ import annotations


class RotatorError(Exception):
    """Base of all errors here.

    `account` is the account's short name once it is known. `expires_at` is when the published token expires, in seconds
    since the epoch: 0 if none is published, None if that is not known. `credentials_refused` is True if the current
    pair of the credentials secret is of no use.
    """

    account: str | None = None
    expires_at: int | None = None
    credentials_refused: bool = False

    def __str__(self) -> str:
        message = super().__str__()
        return f"account {self.account!r}: {message}" if self.account else message


class InvalidSettings(RotatorError):
    """The function's environment variables are incomplete or wrong; all that is wrong is in one message."""


class InvalidEvent(RotatorError):
    """The event is not one that the function documents."""


class InvalidApiUrl(RotatorError):
    """Not a base URL to which credentials may be sent."""


class CredentialsError(RotatorError):
    """The credentials secret cannot be used as it is. `secret_id` is its name or ARN."""

    def __init__(self, secret_id: str, problem: str, fix: str) -> None:
        super().__init__(f"credentials secret {secret_id!r} {problem}. {fix}")
        self.secret_id = secret_id


class SecretStoreError(RotatorError):
    """Secrets Manager refused or failed. `code` is the service's error code, or the client's exception name."""

    def __init__(self, operation: str, secret_id: str, code: str, fix: str) -> None:
        super().__init__(f"{operation} on secret {secret_id!r} failed with {code}. {fix}")
        self.operation = operation
        self.secret_id = secret_id
        self.code = code


class LockUnavailable(RotatorError):
    """The lock table could not be asked. `table` is its name, `code` the client's exception name."""

    def __init__(self, table: str, code: str) -> None:
        super().__init__(
            f"lock table {table!r} could not be asked ({code}). Check that it exists and that the function's role may "
            "use it. Until then renewals fail, while the schedule and forced rotations go on without the lock."
        )
        self.table = table
        self.code = code


class EventNotSent(RotatorError):
    """The event about a publication could not be sent. `code` is the service's error code, or the client's."""

    def __init__(self, code: str) -> None:
        super().__init__(
            f"the event 'Talend Token Rotated' was not sent ({code}). Check that the function's role may call "
            "events:PutEvents on the default event bus. The token is published all the same."
        )
        self.code = code


class ReplacementInProgress(RotatorError):
    """Another run is replacing the same version at this moment."""


class TokenEndpointError(RotatorError):
    """The token endpoint gave no usable token. `url` is the endpoint, `status` the HTTP status if there was one."""

    def __init__(self, url: str, problem: str, fix: str, *, status: int | None = None, attempts: int = 1) -> None:
        tries = "" if attempts == 1 else f" after {attempts} attempts"
        super().__init__(f"token endpoint {url} {problem}{tries}. {fix}")
        self.url = url
        self.status = status
        self.attempts = attempts


class TokenRefused(TokenEndpointError):
    """400, 401 or 403: the same request will be refused again (RFC 6749 section 5.2)."""


class CircuitOpen(TokenEndpointError):
    """The endpoint has just refused these credentials or given a token of no use, and is left alone for a while."""

    def __init__(self, url: str, open_seconds: int) -> None:
        super().__init__(
            url,
            f"was not asked: less than {open_seconds} s ago it refused these credentials, or gave a token of no use",
            "Mend the credentials secret, which is tried at once, or force a rotation.",
        )
        self.open_seconds = open_seconds


class TokenUnavailable(TokenEndpointError):
    """The endpoint did not answer, or answered that it could not serve the request for now.

    `retry_after` is the response's Retry-After field as it came.
    """

    def __init__(
        self,
        url: str,
        problem: str,
        fix: str,
        *,
        status: int | None = None,
        attempts: int = 1,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(url, problem, fix, status=status, attempts=attempts)
        self.retry_after = retry_after


class InvalidTokenResponse(TokenEndpointError):
    """The endpoint answered with something that must not be published."""


class RejectedTokenAgain(InvalidTokenResponse):
    """The endpoint handed out the token that a consumer saw rejected: asking it once more would do no better."""

    def __init__(self, url: str) -> None:
        fix = "If its API goes on refusing it, check the account's rights and environment, and report it to Talend."
        super().__init__(url, "handed out the rejected token again", fix, status=200)


class TokenRejectedByProbe(InvalidTokenResponse):
    """The API answered 401 to the new token, on the probe path: consumers would fare no better with it."""

    def __init__(self, url: str, probe_url: str) -> None:
        fix = "Nothing was published. Check the account's environment and rights, and that the probe path is right."
        super().__init__(url, f"handed out a token to which {probe_url} answered 401", fix, status=200)
