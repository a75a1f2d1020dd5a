"""Authentication for requests: `session.auth = TalendAuth()`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.utils import rewind_body

from talend_token._client import TokenClient
from talend_token._http import AllowedOrigins, check_repeatable, is_file
from talend_token._token import Token
from talend_token.errors import RenewalFailed, TokenUnavailable

__all__ = ["TalendAuth"]

logger = logging.getLogger("talend_token")

# Not typed in every version of requests and of its stubs.
_keep_cookies: Any = extract_cookies_to_jar


class TalendAuth(AuthBase):
    """Sends the published token, and on a 401 repeats the request once with the token that replaced it.

    If there is no other token, or the second answer is a 401 too, the caller gets that answer. A request that has an
    Authorization header of its own is left alone. One instance serves any number of sessions and threads.
    """

    def __init__(self, client: TokenClient | None = None, *, also_for: Iterable[str] = ()) -> None:
        """Make an authentication; by default with the token that the environment names, for its API's host alone.

        Args:
            client: to share, or with another source.
            also_for: base URLs of further hosts that may see the token.

        Raises:
            NotConfigured: the environment names no token.
        """
        self._client = client or TokenClient()
        self._origins = AllowedOrigins(also_for)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests for each request, after everything else of it is prepared.

        Raises:
            TokenUnavailable, HostNotAllowed, BodyNotRepeatable: the request is not sent.
        """
        if "Authorization" in request.headers:
            return request
        check_repeatable(request.method, request.body)
        token = self._client.get_token()
        self._origins.check(str(request.url), token)
        _authorize(request, token)
        request.hooks["response"].append(partial(self._answered, token))
        return request

    def _answered(self, token: Token, response: requests.Response, **kwargs: Any) -> requests.Response:
        # After a redirect to another host the request no longer has the token, so the 401 is not about it.
        if response.status_code != 401 or not _carries(response.request, token):
            return response
        try:
            renewed = self._client.renew(token)
        except (RenewalFailed, TokenUnavailable) as error:
            logger.warning("%s", error)
            return response
        if not self._origins.allow(str(response.request.url), renewed):
            return response
        response.close()
        # Its cookies and the position of its body are not in the published types.
        request: Any = response.request.copy()
        _authorize(request, renewed)
        if is_file(request.body):
            rewind_body(request)
        _keep_cookies(request._cookies, response.request, response.raw)
        request.prepare_cookies(request._cookies)
        repeated: requests.Response = response.connection.send(request, **kwargs)
        repeated.history = [*response.history, response]
        return repeated


def _authorize(request: requests.PreparedRequest, token: Token) -> None:
    request.headers["Authorization"] = f"Bearer {token.access_token}"


def _carries(request: requests.PreparedRequest, token: Token) -> bool:
    return request.headers.get("Authorization") == f"Bearer {token.access_token}"
