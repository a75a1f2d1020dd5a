"""What can go wrong for a consumer.

TalendTokenError
├── NotConfigured          nothing says where the token is
├── InvalidTokenDocument   a token secret holds something else
├── TokenUnavailable       no token is published that works, or works for long enough, or it cannot be read
├── RenewalFailed          a rejected token was not replaced
├── HostNotAllowed         a request goes to a host that the token is not for
└── BodyNotRepeatable      a request has a body that cannot be sent a second time
"""

from __future__ import annotations


class TalendTokenError(Exception):
    """Every error of this package. Messages name secrets and versions, never a token."""


class NotConfigured(TalendTokenError):
    """Nothing says where the token is. The message names the environment variables."""


class InvalidTokenDocument(TalendTokenError):
    """The text of a token secret is not a token document. The message says what is wrong, never what was found."""


class TokenUnavailable(TalendTokenError):
    """No token that works, or works for long enough, can be had. The message says what is published, and since when."""


class RenewalFailed(TalendTokenError):
    """A rejected token was not replaced: the API's rejection stands."""

    def __init__(
        self, message: str, *, outcome: str = "failed", retry_after_seconds: float = 5, may_show: bool = False
    ) -> None:
        super().__init__(message)
        self.outcome = outcome
        """`too_soon` or `budget_exhausted` as the renew function answers them, `in_progress` if no new token showed in
        time, `denied`, `failed`, or `not_configured`. A token source also says `throttled`."""
        self.retry_after_seconds = retry_after_seconds
        """Until then `renew` is not invoked again for the same version by this client."""
        self.may_show = may_show
        """True if a new token may be published all the same, by this renewal or another consumer's."""


class HostNotAllowed(TalendTokenError):
    """A request goes to a host that the token is not for. It was not sent."""


class BodyNotRepeatable(TalendTokenError):
    """A request has a body that cannot be sent a second time, should the first be rejected. It was not sent."""
