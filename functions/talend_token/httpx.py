"""Authentication for httpx, sync and async: `httpx.Client(auth=TalendAuth())`."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator, Iterable
from typing import Any

import httpx

from talend_token.aio import AsyncTokenClient
from talend_token.client import TokenClient
from talend_token.errors import BodyNotRepeatable, RenewalFailed, TokenUnavailable
from talend_token.origin import AllowedOrigins
from talend_token.token import Token

__all__ = ["TalendAuth"]

logger = logging.getLogger("talend_token")


class TalendAuth(httpx.Auth):
    """Sends the published token, and on a 401 repeats the request once with the token that replaced it.

    If no other token is to be had, or the second answer is a 401 too, the caller gets that answer. A request that has
    an Authorization header of its own is left alone. One instance serves any number of clients, threads and tasks;
    `httpx.AsyncClient` needs asyncio as its event loop.
    """

    def __init__(self, client: TokenClient | None = None, *, also_for: Iterable[str] = ()) -> None:
        """By default the token that the environment names, for its own API's host and no other.

        Args:
            client: to share, or with another source.
            also_for: base URLs of further hosts that may see the token.

        Raises:
            NotConfigured: the environment names no token.
        """
        self._client = client or TokenClient()
        self._async_client = AsyncTokenClient(self._client)
        self._origins = AllowedOrigins(also_for)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Called by httpx.Client for each request.

        Raises:
            TokenUnavailable, HostNotAllowed, BodyNotRepeatable: the request is not sent.
        """
        if "Authorization" in request.headers:
            yield request
            return
        body = _Body(request)
        token = self._client.get_token()
        self._authorize(request, token)
        response = yield request
        if _rejects(response, token):
            try:
                renewed = self._client.renew(token)
            except (RenewalFailed, TokenUnavailable) as error:
                logger.warning("%s", error)
                return
            self._authorize(request, renewed)
            body.rewind()
            yield request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by httpx.AsyncClient for each request; as `sync_auth_flow`."""
        if "Authorization" in request.headers:
            yield request
            return
        body = _Body(request)
        token = await self._async_client.get_token()
        self._authorize(request, token)
        response = yield request
        if _rejects(response, token):
            try:
                renewed = await self._async_client.renew(token)
            except (RenewalFailed, TokenUnavailable) as error:
                logger.warning("%s", error)
                return
            self._authorize(request, renewed)
            body.rewind()
            yield request

    def _authorize(self, request: httpx.Request, token: Token) -> None:
        self._origins.check(str(request.url), token)
        request.headers["Authorization"] = f"Bearer {token.access_token}"


def _rejects(response: httpx.Response, token: Token) -> bool:
    """True for a 401 to this token: after a redirect to another host it is no longer on the request."""
    return (
        response.status_code == 401 and response.request.headers.get("Authorization") == f"Bearer {token.access_token}"
    )


class _Body:
    """A request's body, and where it starts.

    httpx does not say whether a body can be sent twice: bytes, forms and multipart uploads can, and what was given as
    a file can be rewound.
    """

    def __init__(self, request: httpx.Request) -> None:
        """
        Raises:
            BodyNotRepeatable: it cannot be sent a second time.
        """
        self._files = [(file, file.tell()) for file in _files(request)]

    def rewind(self) -> None:
        """Put the files back to where they were."""
        for file, start in self._files:
            file.seek(start)


def _files(request: httpx.Request) -> list[Any]:
    stream: Any = request.stream
    if isinstance(stream, httpx.ByteStream):
        return []
    if hasattr(stream, "fields"):
        files = [field.file for field in stream.fields if hasattr(getattr(field, "file", None), "read")]
    else:
        files = [getattr(stream, "_stream", None)]
    if not all(hasattr(file, "seekable") and file.seekable() for file in files):
        raise BodyNotRepeatable(
            f"the body of this {request.method} request cannot be sent a second time, should the token be rejected. "
            "Give bytes or a file that can be rewound; or set the header yourself, with the token of a TokenClient, "
            "and handle the 401."
        )
    return files
