"""The token call, by `requests`."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from rotator.adapters.bounded_http import BoundedSession, time_limit
from rotator.adapters.retry import ATTEMPTS, PERMANENT_STATUSES, RETRYABLE_STATUSES, delay_seconds
from rotator.domain.credentials import Credentials
from rotator.domain.errors import InvalidTokenResponse, TokenRefused, TokenUnavailable
from rotator.domain.token_response import TokenResponse

# A little over a multiple of 3 s, TCP's first retransmission.
_CONNECT_SECONDS = 3.05
_READ_SECONDS = 10.0
# A deadline that has passed still leaves time for one attempt.
_SHORTEST_SECONDS = 0.1
# Four times what fits into a secret.
_LONGEST_BODY_BYTES = 262_144
_CHUNK_BYTES = 16_384


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

    def request_token(self, credentials: Credentials, api_url: str, deadline: float) -> TokenResponse:
        """See `rotator.ports.TokenEndpoint`."""
        attempt = 1
        while True:
            try:
                return self._attempt(credentials, api_url, deadline, attempt)
            except TokenUnavailable as error:
                failure = error
            now = self.clock()
            delay = delay_seconds(attempt, failure.retry_after, now, self.jitter())
            if attempt == ATTEMPTS or now + delay >= deadline:
                raise failure
            self.sleep(delay)
            attempt += 1

    def _attempt(self, credentials: Credentials, api_url: str, deadline: float, attempt: int) -> TokenResponse:
        url = f"{api_url}/security/oauth/token"
        requested_at = self.clock()
        left = max(deadline - requested_at, _SHORTEST_SECONDS)
        try:
            with (
                time_limit(left),
                self.session.post(
                    url,
                    # Encoded here because requests would encode text as Latin-1; RFC 7617 section 2.1 has UTF-8.
                    auth=HTTPBasicAuth(credentials.client_id.encode(), credentials.client_secret.encode()),
                    json={"audience": api_url, "grant_type": "client_credentials"},
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                _check_status(url, response, attempt)
                return TokenResponse(url, requested_at, _body(url, response))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            kind = _kind(error)
        # Raised out here, with only the kind of the failure: a network error's context holds the whole request.
        fix = f"Check that {api_url} is the right API and that the function's network reaches it."
        raise TokenUnavailable(url, f"could not be reached ({kind})", fix, attempts=attempt)


def _body(url: str, response: requests.Response) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _invalid_body(url, "sent a compressed body, which was not asked for")
    body = bytearray()
    # `read1` returns what has arrived, so that a body without end is noticed early.
    while chunk := response.raw.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > _LONGEST_BODY_BYTES:
            raise _invalid_body(url, f"sent more than {_LONGEST_BODY_BYTES} bytes")
    return bytes(body)


def _check_status(url: str, response: requests.Response, attempt: int) -> None:
    status = response.status_code
    if status == 200:
        return
    problem = f"answered {status}"
    if status in PERMANENT_STATUSES:
        fix = (
            "Check the ID and secret in the credentials secret, the API's environment, and that the service account "
            "exists and may generate tokens."
        )
        raise TokenRefused(url, problem, fix, status=status, attempts=attempt)
    if status in RETRYABLE_STATUSES:
        fix = "Talend could not serve the request for now: the next run tries again."
        retry_after = response.headers.get("Retry-After")
        raise TokenUnavailable(url, problem, fix, status=status, attempts=attempt, retry_after=retry_after)
    fix = "Check that the API URL is the base URL of a Talend Cloud API; redirects are not followed."
    raise InvalidTokenResponse(url, problem, fix, status=status, attempts=attempt)


def _kind(error: BaseException) -> str:
    """The name of the failure that requests and urllib3 wrapped, such as NameResolutionError."""
    wrapped = error.args[0] if error.args else None
    return type(getattr(wrapped, "reason", error)).__name__


def _invalid_body(url: str, problem: str) -> InvalidTokenResponse:
    fix = "Check that the API URL is the base URL of a Talend Cloud API."
    return InvalidTokenResponse(url, problem, fix, status=200)
