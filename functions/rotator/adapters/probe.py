"""Tries a new token on the API that it is for, with `requests`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import urllib3
from requests.auth import AuthBase

from rotator.adapters.bounded_http import BoundedSession, time_limit
from rotator.ports import Probed, Verdict
from talend_token.document import TokenDocument

_CONNECT_SECONDS = 2.0
_READ_SECONDS = 5.0
# If less time than this is left, the token is published without a probe, because an answer would come too late.
_SHORTEST_SECONDS = 0.5
# Without this header, the oldest supported API version answers [Talend's API versioning policy].
_HEADERS = {"talend-version": "2021-03"}


@dataclass(frozen=True)
class HttpProbe:
    """Sends one GET request that ends at the deadline. TLS is verified, redirects are not followed, no body is read."""

    session: BoundedSession = field(default_factory=BoundedSession)
    clock: Callable[[], float] = time.time

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:
        """See `rotator.ports.Probe`."""
        url = f"{document.api_url}{path}"
        left = deadline - self.clock()
        if left < _SHORTEST_SECONDS:
            return Probed(Verdict.UNKNOWN, url, f"{url} was not requested, because no time was left")
        try:
            with (
                time_limit(left),
                self.session.get(
                    url,
                    # With a header alone, an entry for the host in a .netrc file would replace the token.
                    auth=_BearerAuth(document),
                    headers=_HEADERS,
                    timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                hint = ", so this path does not exist" if response.status_code == 404 else ""
                return Probed(_verdict(response.status_code), url, f"{url} answered {response.status_code}{hint}")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return Probed(Verdict.UNKNOWN, url, f"{url} could not be reached ({type(error).__name__})")


@dataclass(frozen=True)
class _BearerAuth(AuthBase):
    document: TokenDocument

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"{self.document.token_type} {self.document.access_token}"
        return request


def _verdict(status: int) -> Verdict:
    if 200 <= status < 300 or status == 403:
        return Verdict.ACCEPTED
    return Verdict.REJECTED if status == 401 else Verdict.UNKNOWN
