"""The HTTP clients that the client's authentication serves, each with one way to make a request."""

import asyncio
import ssl

import httpx
import requests
import trio

from talend_token.httpx import TalendAuth as HttpxAuth
from talend_token.requests import TalendAuth as RequestsAuth

# A client creates a TLS context, which takes long and which no test here needs.
HTTP = {"trust_env": False, "verify": ssl.create_default_context(), "follow_redirects": True}


class Requests:
    def __init__(self, client, **options):
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = RequestsAuth(client, **options)

    def __call__(self, method, url, *, content=None, **options):
        return self.session.request(method, url, **({"data": content} | options))


class Httpx:
    """An httpx.Client for each request, with the options `http`."""

    http = HTTP

    def __init__(self, client, **options):
        self.auth = HttpxAuth(client, **options)

    def __call__(self, method, url, **options):
        with httpx.Client(auth=self.auth, **self.http) as client:
            return client.request(method, url, **options)


class AsyncHttpx(Httpx):
    """An httpx.AsyncClient for each request, under asyncio."""

    def __call__(self, method, url, **options):
        async def call():
            async with httpx.AsyncClient(auth=self.auth, **self.http) as client:
                return await client.request(method, url, **options)

        return self.run(call)

    def run(self, call):
        return asyncio.run(call())


class TrioHttpx(AsyncHttpx):
    """An httpx.AsyncClient for each request, under trio."""

    def run(self, call):
        return trio.run(call)
