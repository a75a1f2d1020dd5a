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

# It is not typed in every version of requests and of its stubs.
_keep_cookies: Any = extract_cookies_to_jar


class TalendAuth(AuthBase):
    """Sends the published token, and after a 401 repeats the request once with the token that replaced it.

    If there is no other token, or if the second answer is a 401 too, the caller gets the 401. Requests that already
    have an Authorization header are not changed. One instance serves any number of sessions and threads.
    """

    def __init__(self, client: TokenClient | None = None, *, also_for: Iterable[str] = ()) -> None:
        """Create an authentication. By default, it uses the token that the environment names, for its API's host only.

        Args:
            client: a client to share, or one with another source.
            also_for: base URLs of other hosts to which the token may be sent.

        Raises:
            NotConfigured: the environment does not name a token.
        """
        self._client = client or TokenClient()
        self._origins = AllowedOrigins(also_for)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Called by requests for each request, after everything else is prepared.

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
            # requests does not record it for a file without an iterator, such as an mmap.
            vars(request)["_body_position"] = start
        made: requests.PreparedRequest = _TokenRequest.made_of(request, self, token)
        return made

    def _answered(self, response: requests.Response, **options: Any) -> requests.Response:
        # Typed as Any because libraries that replace servers in tests wrap it.
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
    """Headers whose `repr` shows only their names."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self)}>"


class _TokenRequest(requests.PreparedRequest):
    """A request that carries the token to allowed hosts only, on each hop of a redirect.

    For each hop, requests copies the request, strips its Authorization header, and may take another one from ~/.netrc.
    So the header is set or removed whenever the headers are read, for the last time when they are sent.
    """

    auth: TalendAuth
    token: Token

    @classmethod
    def made_of(cls, request: Any, auth: TalendAuth, token: Token) -> Any:
        """Turn an ordinary request into one with a token."""
        request.__class__ = cls
        request.auth = auth
        request.token = token
        request.headers = vars(request)["headers"]
        return request

    @property
    def carries_token(self) -> bool:
        """True if the token may be sent to the request's URL."""
        return self.auth._origins.allow(str(self.url), self.token)

    @property
    def headers(self) -> Any:
        """The headers, with the token if it may be sent to the request's URL."""
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
        """Return a copy with the newest token that the client has."""
        newest = self.auth._client._without_read(0, others_read=True)
        return self.made_of(super().copy(), self.auth, newest or self.token)

    def __reduce__(self) -> tuple[type[requests.PreparedRequest], tuple[()], dict[str, Any]]:
        """Turn a pickle or a deep copy, such as that of a response, into an ordinary request without the token."""
        state = {name: value for name, value in vars(self).items() if name not in ("auth", "token")}
        state["hooks"] = {"response": [hook for hook in self.hooks["response"] if hook != self.auth._answered]}
        headers = _Headers(self.headers)
        if self.carries_token:
            del headers["Authorization"]
        return requests.PreparedRequest, (), state | {"headers": CaseInsensitiveDict(headers)}
