"""Requests tokens from the token endpoint, with `requests`."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from rotator.adapters.bounded_http import BoundedSession, time_limit
from rotator.domain.credentials import Credentials
from rotator.domain.errors import CredentialsRefused, InvalidTokenResponse, TokenUnavailable
from rotator.domain.token_response import TokenResponse
from talend_token.document import Sensitive

_ATTEMPTS = 4
_BACKOFF_SECONDS = 0.5
# Another attempt may succeed after too many requests or a temporary server error.
_RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
# Another attempt would fail too (RFC 6749 section 5.2).
_PERMANENT_STATUSES = frozenset({400, 401, 403})
# The codes of RFC 6749 section 5.2. No other part of an error's body is ever shown.
_ERROR_CODES = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
# Slightly more than the 3 s after which TCP retransmits a packet for the first time.
_CONNECT_SECONDS = 3.05
_READ_SECONDS = 10.0
# One short attempt is made even if the deadline has passed.
_SHORTEST_SECONDS = 0.1
# Four times what fits into a secret.
_LONGEST_BODY_BYTES = 262_144
_CHUNK_BYTES = 16_384
_READABLE_ENCODINGS = ("gzip", "x-gzip", "deflate")
# Compressions that urllib3 cannot decode with the packaged libraries. Other names of encodings are not compressions.
_UNREADABLE_ENCODINGS = ("br", "zstd", "compress", "x-compress")


@dataclass(frozen=True)
class HttpTokenEndpoint:
    """Sends `POST <api_url>/security/oauth/token` (Talend's OAuth API reference).

    TLS is verified, and redirects are not followed. The body is bounded and never shown. Each attempt ends at the
    deadline, even if the server still sends.
    """

    session: BoundedSession = field(default_factory=BoundedSession)
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def request_token(self, credentials: Credentials, deadline: float) -> TokenResponse:
        """See `rotator.ports.TokenEndpoint`."""
        attempt = 1
        while True:
            try:
                return self._attempt(credentials, deadline, attempt)
            except TokenUnavailable as error:
                failure = error
            now = self.clock()
            delay = delay_seconds(attempt, failure.retry_after, now, self.jitter())
            if attempt == _ATTEMPTS or now + delay >= deadline:
                raise failure
            self.sleep(delay)
            attempt += 1

    def _attempt(self, credentials: Credentials, deadline: float, attempt: int) -> TokenResponse:
        requested_at = self.clock()
        try:
            with (
                time_limit(max(deadline - requested_at, _SHORTEST_SECONDS)),
                self.session.post(
                    credentials.token_endpoint,
                    # Encoded here because requests would use Latin-1, but RFC 7617 section 2.1 recommends UTF-8.
                    auth=HTTPBasicAuth(credentials.client_id.encode(), credentials.client_secret.encode()),
                    json={"audience": credentials.api_url, "grant_type": "client_credentials"},
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                if response.status_code != 200:
                    raise _failure(credentials, response, attempt)
                return TokenResponse(credentials, requested_at, _body(credentials, response))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            kind = _kind(error)
        # Raised after the handler with only the kind of the failure, because a network error holds the whole request.
        fix = f"Check that {credentials.api_url} is the right API and that the function's network reaches it."
        problem = f"could not be reached ({kind})"
        raise TokenUnavailable(credentials.token_endpoint, credentials.secret_id, problem, fix, attempts=attempt)


def delay_seconds(attempt: int, retry_after: str | None, now: float, jitter: float) -> float:
    """Return how long to wait after attempt number `attempt` (from 1) failed.

    The delay grows exponentially with equal jitter (0.25 to 0.5 s, 0.5 to 1 s, 1 to 2 s), and is at least as long as
    `Retry-After` says. `jitter` is a random number from 0 to 1.
    """
    backoff = _BACKOFF_SECONDS * 2.0 ** (attempt - 1)
    return max(backoff / 2 + jitter * backoff / 2, _retry_after_seconds(retry_after, now))


def _retry_after_seconds(value: str | None, now: float) -> float:
    """Parse `Retry-After`, which is a number of seconds or a date (RFC 9110 section 10.2.3). Ignore anything else."""
    if value is None:
        return 0.0
    if value.strip().isdecimal() and value.isascii():
        # A number with too many digits becomes infinity, which is longer than any deadline.
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return date.timestamp() - now


def _body(credentials: Credentials, response: requests.Response) -> bytes:
    """Return the body, decompressed because some proxies compress it although `identity` was requested."""
    endpoint, secret_id = credentials.token_endpoint, credentials.secret_id
    fix = "Check that the API URL is the base URL of a Talend Cloud API and that no proxy answers instead."
    encodings = [part.strip() for part in response.headers.get("Content-Encoding", "").lower().split(",")]
    unreadable = next((encoding for encoding in _UNREADABLE_ENCODINGS if encoding in encodings), None)
    problem = f"sent a body in the encoding {unreadable}" if unreadable else None
    # urllib3 would treat an unknown name in a list as deflate, so unknown names are removed.
    response.raw.headers["Content-Encoding"] = ", ".join(part for part in encodings if part in _READABLE_ENCODINGS)
    body = Sensitive(bytearray())
    try:
        # `read1` returns whatever has arrived, so an endless body is noticed early.
        while not problem and (chunk := Sensitive(response.raw.read1(_CHUNK_BYTES, decode_content=True))).reveal():
            body.reveal().extend(chunk.reveal())
            if len(body.reveal()) > _LONGEST_BODY_BYTES:
                problem = f"sent more than {_LONGEST_BODY_BYTES} bytes"
    except urllib3.exceptions.DecodeError:
        problem = "sent a body that cannot be decompressed"
    # Raised after the handler, because a decompression error has the body in its frames.
    if problem:
        raise InvalidTokenResponse(endpoint, secret_id, problem, fix, status=response.status_code)
    return bytes(body.reveal())


def _failure(
    credentials: Credentials, response: requests.Response, attempt: int
) -> CredentialsRefused | TokenUnavailable | InvalidTokenResponse:
    endpoint, secret_id, status = credentials.token_endpoint, credentials.secret_id, response.status_code
    problem = f"answered {status}"
    if status in _PERMANENT_STATUSES:
        code = _error_code(credentials, response)
        fix = "Check the ID, the secret and the API URL, and that the service account exists and may generate tokens."
        problem = f"{problem} ({code})" if code else problem
        return CredentialsRefused(endpoint, secret_id, problem, fix, status=status, attempts=attempt)
    if status in _RETRYABLE_STATUSES:
        fix = "Talend is temporarily unable to serve the request. The next run tries again."
        after = response.headers.get("Retry-After")
        return TokenUnavailable(endpoint, secret_id, problem, fix, status=status, attempts=attempt, retry_after=after)
    fix = "Check that the API URL is the base URL of a Talend Cloud API. Redirects are not followed."
    return InvalidTokenResponse(endpoint, secret_id, problem, fix, status=status, attempts=attempt)


def _error_code(credentials: Credentials, response: requests.Response) -> str | None:
    """Return the registered error code in the body of a refusal, or None if there is none or the body is unreadable."""
    with suppress(ValueError, RecursionError, InvalidTokenResponse, urllib3.exceptions.HTTPError, OSError):
        members = json.loads(_body(credentials, response))
        code = members.get("error") if isinstance(members, dict) else None
        return next((known for known in _ERROR_CODES if known == code), None)
    return None


def _kind(error: BaseException) -> str:
    """Return the name of the error that requests and urllib3 have wrapped, such as NameResolutionError."""
    wrapped = error.args[0] if error.args else None
    return type(getattr(wrapped, "reason", error)).__name__
