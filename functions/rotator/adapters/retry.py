"""Which answers of the token endpoint are worth another attempt, and when."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

# Worth another attempt as they are: too many requests, and a server that is in trouble.
RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
# RFC 6749 section 5.2: none of these is cured by asking again.
PERMANENT_STATUSES = frozenset({400, 401, 403})
ATTEMPTS = 4
_BASE_SECONDS = 0.5


def delay_seconds(attempt: int, retry_after: str | None, now: float, jitter: float) -> float:
    """How long to wait after attempt number `attempt` (from 1) failed.

    At least what `Retry-After` asks for, and exponential with equal jitter: 0.25 to 0.5 s, 0.5 to 1 s, 1 to 2 s.
    `jitter` is a random number from 0 to 1.
    """
    backoff = _BASE_SECONDS * 2.0 ** (attempt - 1)
    return max(backoff / 2 + jitter * backoff / 2, _retry_after_seconds(retry_after, now))


def _retry_after_seconds(value: str | None, now: float) -> float:
    """`Retry-After` is a number of seconds or a date (RFC 9110 section 10.2.3); anything else asks for nothing."""
    if value is None:
        return 0.0
    if value.strip().isdecimal() and value.isascii():
        # An absurd number of digits is still a number: infinity, longer than any deadline.
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return date.timestamp() - now
