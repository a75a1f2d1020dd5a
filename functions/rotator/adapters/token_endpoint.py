"""The token call, by `requests`."""

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

_ATTEMPTS = 4
_BACKOFF_SECONDS = 0.5
# Worth another attempt as they are: too many requests, and a server that is in trouble.
_RETRYABLE_STATUSES = frozenset({429, 500, 502, 503, 504})
# RFC 6749 section 5.2: another attempt fixes none of these.
_PERMANENT_STATUSES = frozenset({400, 401, 403})
# RFC 6749 section 5.2. Nothing else of an error's body is ever shown.
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
# A little over a multiple of 3 s, TCP's first retransmission.
_CONNECT_SECONDS = 3.05
_READ_SECONDS = 10.0
# A deadline that has passed still leaves time for one attempt.
_SHORTEST_SECONDS = 0.1
# Four times what fits into a secret.
_LONGEST_BODY_BYTES = 262_144
_CHUNK_BYTES = 16_384
# Compressions that urllib3 cannot undo with what is packaged. Any other name of an encoding is not a compression.
_UNREADABLE_ENCODINGS = ("br", "zstd", "compress", "x-compress")


@dataclass(frozen=True)
class HttpTokenEndpoint:
    """`POST <api_url>/security/oauth/token` (Talend's OAuth API reference).

    No redirect is followed, TLS is verified, the body is bounded and never shown, and each attempt ends at the deadline
    whatever the server does.
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
                    # Encoded here because requests would encode text as Latin-1; RFC 7617 section 2.1 has UTF-8.
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
        # Raised out here, with only the kind of the failure: a network error's context holds the whole request.
        fix = f"Check that {credentials.api_url} is the right API and that the function's network reaches it."
        problem = f"could not be reached ({kind})"
        raise TokenUnavailable(credentials.token_endpoint, credentials.secret_id, problem, fix, attempts=attempt)


def delay_seconds(attempt: int, retry_after: str | None, now: float, jitter: float) -> float:
    """Return how long to wait after attempt number `attempt` (from 1) failed.

    At least what `Retry-After` asks for, and exponential with equal jitter: 0.25 to 0.5 s, 0.5 to 1 s, 1 to 2 s.
    `jitter` is a random number from 0 to 1.
    """
    backoff = _BACKOFF_SECONDS * 2.0 ** (attempt - 1)
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


def _body(credentials: Credentials, response: requests.Response) -> bytes:
    """Return the body, decompressed if need be: some proxies compress although `identity` was asked for."""
    endpoint, secret_id = credentials.token_endpoint, credentials.secret_id
    fix = "Check that the API URL is the base URL of a Talend Cloud API, and what answers in its place."
    encoding = response.headers.get("Content-Encoding", "").lower()
    if any(part.strip() in _UNREADABLE_ENCODINGS for part in encoding.split(",")):
        raise InvalidTokenResponse(endpoint, secret_id, f"sent a body in the encoding {encoding}", fix, status=200)
    body = bytearray()
    # `read1` returns what has arrived, so that a body without end is noticed early.
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > _LONGEST_BODY_BYTES:
            problem = f"sent more than {_LONGEST_BODY_BYTES} bytes"
            raise InvalidTokenResponse(endpoint, secret_id, problem, fix, status=200)
    return bytes(body)


def _failure(
    credentials: Credentials, response: requests.Response, attempt: int
) -> CredentialsRefused | TokenUnavailable | InvalidTokenResponse:
    endpoint, secret_id, status = credentials.token_endpoint, credentials.secret_id, response.status_code
    problem = f"answered {status}"
    if status in _PERMANENT_STATUSES:
        code = _error_code(credentials, response)
        fix = "Check the ID and the secret, the API URL, and that the service account exists and may generate tokens."
        problem = f"{problem} ({code})" if code else problem
        return CredentialsRefused(endpoint, secret_id, problem, fix, status=status, attempts=attempt)
    if status in _RETRYABLE_STATUSES:
        fix = "Talend could not serve the request for now: the next run tries again."
        after = response.headers.get("Retry-After")
        return TokenUnavailable(endpoint, secret_id, problem, fix, status=status, attempts=attempt, retry_after=after)
    fix = "Check that the API URL is the base URL of a Talend Cloud API; redirects are not followed."
    return InvalidTokenResponse(endpoint, secret_id, problem, fix, status=status, attempts=attempt)


def _error_code(credentials: Credentials, response: requests.Response) -> str | None:
    """Return the registered error code in the body of a refusal; None if there is none, or the body cannot be read."""
    with suppress(ValueError, RecursionError, InvalidTokenResponse, urllib3.exceptions.HTTPError, OSError):
        members = json.loads(_body(credentials, response))
        code = members.get("error") if isinstance(members, dict) else None
        return next((known for known in _ERROR_CODES if known == code), None)
    return None


def _kind(error: BaseException) -> str:
    """Return the name of the failure that requests and urllib3 wrapped, such as NameResolutionError."""
    wrapped = error.args[0] if error.args else None
    return type(getattr(wrapped, "reason", error)).__name__
