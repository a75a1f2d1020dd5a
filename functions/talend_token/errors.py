"""What can go wrong for a consumer.

TalendTokenError
├── NotConfigured          the environment does not say where the token is
├── InvalidTokenDocument   a token secret holds something else
├── TokenUnavailable       no token is published that is valid (for long enough), or the secret cannot be read
├── RenewalFailed          a rejected token was not replaced
├── HostNotAllowed         a request goes to a host that the token is not for
└── BodyNotRepeatable      a request has a body that cannot be sent a second time
"""

from __future__ import annotations


class TalendTokenError(Exception):
    """Every error of this package. Messages name secrets and versions, never a token."""


class NotConfigured(TalendTokenError):
    """The environment does not say where the token is. The message names its variables."""


class InvalidTokenDocument(TalendTokenError):
    """The text of a token secret is not a token document. The message says what is wrong, never what was found."""


class TokenUnavailable(TalendTokenError):
    """There is no valid token, or none that is valid for long enough. The message says what is published."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        """AWS's error code, or the SDK's exception name, if the secret cannot be read; None for any other reason."""


class RenewalFailed(TalendTokenError):
    """A rejected token was not replaced, so the API's 401 is the answer."""

    def __init__(
        self, message: str, *, outcome: str = "failed", retry_after_seconds: float = 5, may_show: bool = False
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        """`too_soon` or `budget_exhausted` as the renew function answers them, `in_progress` if no new token showed in
        time, `denied`, `failed`, or `not_configured`. A token source also reports `throttled`."""
        self.retry_after_seconds = retry_after_seconds
        """For how long this client does not invoke `renew` again for the same version."""
        self.may_show = may_show
        """True if a new token may still be published, by this renewal or another consumer's."""


class HostNotAllowed(TalendTokenError):
    """A request goes to a host that the token is not for. It was not sent."""


class BodyNotRepeatable(TalendTokenError):
    """A request has a body that cannot be sent a second time, should the first be rejected. It was not sent."""
