"""The errors that consumers can get.

TalendTokenError
├── NotConfigured          the environment does not say where the token is
├── InvalidTokenDocument   a token secret does not hold a token document
├── TokenUnavailable       the published token is not valid (for long enough), or the secret cannot be read
├── RenewalFailed          a rejected token was not replaced
├── HostNotAllowed         a request goes to a host that the token is not for
└── BodyNotRepeatable      a request's body cannot be sent a second time
"""

from __future__ import annotations


class TalendTokenError(Exception):
    """Base class of all errors of this package. Messages name secrets and versions, but never hold a token."""


class NotConfigured(TalendTokenError):
    """The environment does not say where the token is. The message lists the variables."""


class InvalidTokenDocument(TalendTokenError):
    """The text of a token secret is not a token document. The message states the problem but never repeats the text."""


class TokenUnavailable(TalendTokenError):
    """There is no token that is valid for long enough. The message describes the published token."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        """AWS's error code, or the SDK's exception name, if the secret cannot be read; None for any other reason."""


class RenewalFailed(TalendTokenError):
    """A rejected token was not replaced, so the caller must handle the API's 401."""

    def __init__(
        self, message: str, *, outcome: str = "failed", retry_after_seconds: float = 5, may_show: bool = False
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        """`too_soon` or `budget_exhausted` if the renew function answered so, `in_progress` if no new token appeared in
        time, `denied`, `failed`, or `not_configured`. A token source may also report `throttled`."""
        self.retry_after_seconds = retry_after_seconds
        """How long this client waits before it invokes `renew` again for the same version."""
        self.may_show = may_show
        """True if a new token may still be published, by this renewal or another consumer's."""


class HostNotAllowed(TalendTokenError):
    """A request goes to a host that the token is not for, so it was not sent."""


class BodyNotRepeatable(TalendTokenError):
    """A request's body cannot be sent a second time if the token is rejected, so the request was not sent."""
