"""Authentication for httpx, sync and async: `httpx.Client(auth=TalendAuth())`."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from contextlib import suppress
from typing import Any

import httpx

from talend_token._client import TokenClient
from talend_token._http import AllowedOrigins, start_of
from talend_token._token import Token
from talend_token.aio import AsyncTokenClient
from talend_token.errors import RenewalFailed, TokenUnavailable

__all__ = ["TalendAuth"]

logger = logging.getLogger("talend_token")

# More than enough for an error page.
_DISCARDED_BYTES = 1_048_576
_DISCARDED_SECONDS = 5


class TalendAuth(httpx.Auth):
    """Sends the published token, and after a 401 repeats the request once with the token that replaced it.

    If there is no other token, or if the second answer is a 401 too, the caller gets the 401. Requests that already
    have an Authorization header are not changed. One instance serves any number of clients, threads, and asyncio or
    trio tasks.
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
        self._origins.check(str(request.url), token)
        _authorize(request, token)
        response = yield request
        if _rejects(response, token):
            try:
                renewed = self._client.renew(token)
            except (RenewalFailed, TokenUnavailable) as error:
                logger.warning("%s", error)
                return
            if self._prepare_again(response, renewed, body):
                yield response.request

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Called by httpx.AsyncClient for each request. See `sync_auth_flow`."""
        if "Authorization" in request.headers:
            yield request
            return
        body = _Body(request)
        token = await self._async_client.get_token()
        self._origins.check(str(request.url), token)
        _authorize(request, token)
        response = yield request
        if _rejects(response, token):
            try:
                renewed = await self._async_client.renew(token)
            except (RenewalFailed, TokenUnavailable) as error:
                logger.warning("%s", error)
                return
            if self._prepare_again(response, renewed, body):
                yield response.request

    def _prepare_again(self, response: httpx.Response, renewed: Token, body: _Body) -> bool:
        """Prepare the rejected request, which a redirect may have changed, to be sent again.

        Return False if the renewed token is not for its host.
        """
        if not self._origins.allow(str(response.request.url), renewed):
            return False
        response.stream = _Discarded(response)
        _authorize(response.request, renewed)
        body.rewind()
        return True


def _authorize(request: httpx.Request, token: Token) -> None:
    request.headers["Authorization"] = f"Bearer {token.access_token}"


def _rejects(response: httpx.Response, token: Token) -> bool:
    """Return True if a request with this token got a 401. After a redirect to another host, it has no token."""
    return (
        response.status_code == 401 and response.request.headers.get("Authorization") == f"Bearer {token.access_token}"
    )


class _Discarded(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Replaces the body of a 401, which httpx would read to its end before it repeats the request.

    Over HTTP/1.1, the body and its connection are closed without reading. Over HTTP/2, requests share a connection, and
    each stream that is not read to its end uses up some of the connection's window. So the body is read within limits.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._stream: Any = response.stream
        self._is_shared = not response.http_version.startswith("HTTP/1")

    def __iter__(self) -> Iterator[bytes]:
        if self._is_shared:
            limits = _Limits()
            with suppress(httpx.TransportError):
                for chunk in self._stream:
                    if limits.exceeded(chunk):
                        break
        # A generator needs a yield, and httpx drops the empty chunk.
        yield b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._is_shared:
            limits = _Limits()
            with suppress(httpx.TransportError):
                async for chunk in self._stream:
                    if limits.exceeded(chunk):
                        break
        yield b""

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Limits:
    """Limits how much of an unneeded body is read, and for how long."""

    def __init__(self) -> None:
        self._bytes = _DISCARDED_BYTES
        self._until = time.monotonic() + _DISCARDED_SECONDS

    def exceeded(self, chunk: bytes) -> bool:
        """Count a chunk; return True if it should be the last one."""
        self._bytes -= len(chunk)
        return self._bytes <= 0 or time.monotonic() > self._until


class _Body:
    """A request's body and the start positions of its files.

    httpx does not know whether a body can be sent twice. Bytes and forms can always be sent again. Multipart uploads
    can if their files can, and streams are examined.
    """

    def __init__(self, request: httpx.Request) -> None:
        """Record the start positions.

        Raises:
            BodyNotRepeatable: the body cannot be sent a second time.
        """
        self._starts = [(part, start_of(request.method, part)) for part in _parts(request)]

    def rewind(self) -> None:
        """Set the files back to their start positions."""
        for part, start in self._starts:
            if start is not None:
                part.seek(start)


def _parts(request: httpx.Request) -> list[Any]:
    """Return the files and streams of a body, without the parts that httpx holds in memory."""
    stream: Any = request.stream
    if isinstance(stream, httpx.ByteStream):
        return []
    if hasattr(stream, "fields"):
        return [field.file for field in stream.fields if hasattr(field, "file")]
    return [getattr(stream, "_stream", stream)]
