"""Authentication for requests: `session.auth = TalendAuth()`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import requests
from requests.auth import AuthBase
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import rewind_body

from talend_token._client import TokenClient
from talend_token._http import AllowedOrigins, start_of
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
        start = start_of(request.method, request.body)
        token = self._client.get_token()
        self._origins.check(str(request.url), token)
        request.hooks["response"].append(self._answered)
        if start is not None:
            # requests does not note it for a file without an iterator, such as a mmap.
            vars(request)["_body_position"] = start
        made: requests.PreparedRequest = _TokenRequest.made_of(request, self, token)
        return made

    def _answered(self, response: requests.Response, **options: Any) -> requests.Response:
        # Not typed as what it is: libraries that stand in for servers in tests wrap it.
        request: Any = response.request
        if response.status_code != 401 or not request.carries_token:
            return response
        try:
            renewed = self._client.renew(request.token)
        except (RenewalFailed, TokenUnavailable) as error:
            logger.warning("%s", error)
            return response
        if not self._origins.allow(request.url, renewed):
            return response
        response.close()
        again = request.copy()
        again.token = renewed
        if hasattr(again.body, "read"):
            rewind_body(again)
        _keep_cookies(again._cookies, request, response.raw)
        again.prepare_cookies(again._cookies)
        start = time.perf_counter()
        repeated: requests.Response = response.connection.send(again, **options)
        repeated.elapsed = timedelta(seconds=time.perf_counter() - start)
        repeated.history = [*response.history, response]
        return repeated


class _Headers(CaseInsensitiveDict):  # type: ignore[type-arg]
    """Headers that print their names alone."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


class _TokenRequest(requests.PreparedRequest):
    """A request that carries the token to allowed hosts and to no other, on each hop of a redirect.

    For each hop requests copies the request, strips its Authorization header, and may take another one from ~/.netrc.
    So this header is decided whenever the headers are read, the last time when they are sent.
    """

    auth: TalendAuth
    token: Token

    @classmethod
    def made_of(cls, request: Any, auth: TalendAuth, token: Token) -> Any:
        """Turn a request into one with a token."""
        request.__class__ = cls
        request.auth = auth
        request.token = token
        request.headers = vars(request)["headers"]
        return request

    @property
    def carries_token(self) -> bool:
        """True if the token may be sent to this URL."""
        return self.auth._origins.allow(str(self.url), self.token)

    @property
    def headers(self) -> Any:
        """The headers, with the token if it may be sent to this URL."""
        headers = vars(self)["headers"]
        if self.carries_token:
            headers["Authorization"] = f"Bearer {self.token.access_token}"
        elif headers.get("Authorization") == f"Bearer {self.token.access_token}":
            del headers["Authorization"]
        return headers

    @headers.setter
    def headers(self, headers: Any) -> None:
        vars(self)["headers"] = _Headers(headers)

    def copy(self) -> Any:
        """Return a copy with the newest token that is at hand."""
        newest = self.auth._client._without_read(0, others_read=True)
        return self.made_of(super().copy(), self.auth, newest or self.token)

    def __reduce__(self) -> tuple[type[requests.PreparedRequest], tuple[()], dict[str, Any]]:
        """A pickle or a deep copy, which a response has of its request, is an ordinary request without the token."""
        state = {name: value for name, value in vars(self).items() if name not in ("auth", "token")}
        state["hooks"] = {"response": [hook for hook in self.hooks["response"] if hook != self.auth._answered]}
        headers = _Headers(self.headers)
        if self.carries_token:
            del headers["Authorization"]
        return requests.PreparedRequest, (), state | {"headers": CaseInsensitiveDict(headers)}
