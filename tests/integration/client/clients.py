"""The HTTP clients that the client's authentication serves, each with one way to make a request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from typing import Any

import httpx
import requests
import trio

from talend_token import TokenClient
from talend_token.httpx import TalendAuth as HttpxAuth
from talend_token.requests import TalendAuth as RequestsAuth

# A client creates a TLS context, which takes long and which no test here needs.
HTTP: dict[str, Any] = {"trust_env": False, "verify": ssl.create_default_context(), "follow_redirects": True}


class Requests:
    def __init__(self, client: TokenClient, **options: Any) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = RequestsAuth(client, **options)

    def __call__(self, method: str, url: str, *, content: Any = None, **options: Any) -> Any:
        return self.session.request(method, url, **({"data": content} | options))


class Httpx:
    """An httpx.Client for each request."""

    def __init__(self, client: TokenClient, **options: Any) -> None:
        self.auth = HttpxAuth(client, **options)

    def __call__(self, method: str, url: str, **options: Any) -> Any:
        with httpx.Client(auth=self.auth, **HTTP) as client:
            return client.request(method, url, **options)


class AsyncHttpx(Httpx):
    """An httpx.AsyncClient for each request, under asyncio."""

    def __call__(self, method: str, url: str, **options: Any) -> Any:
        async def call() -> httpx.Response:
            async with httpx.AsyncClient(auth=self.auth, **HTTP) as client:
                return await client.request(method, url, **options)

        return self.run(call())

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(coroutine)


class TrioHttpx(AsyncHttpx):
    """An httpx.AsyncClient for each request, under trio."""

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        async def main() -> Any:
            return await coroutine

        return trio.run(main)
