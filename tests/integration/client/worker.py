"""Functions that other processes run, which they must be able to import."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import requests


def with_session(session: requests.Session, url: str) -> tuple[int, int]:
    """Return the statuses of two requests, the second of which is rejected at first."""
    return session.get(url).status_code, session.get(f"{url}/revoke").status_code


def with_httpx(auth: httpx.Auth, url: str) -> tuple[int, int]:
    """See `with_session`."""
    with httpx.Client(auth=auth, trust_env=False) as client:
        return client.get(url).status_code, client.get(f"{url}/revoke").status_code


def with_async_httpx(auth: httpx.Auth, url: str) -> tuple[int, int]:
    """See `with_session`."""

    async def calls() -> tuple[int, int]:
        async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
            return (await client.get(url)).status_code, (await client.get(f"{url}/revoke")).status_code

    return asyncio.run(calls())


def version(client: Any) -> str:
    """Return the version that the client gets."""
    token = client.get_token()
    return str((asyncio.run(token) if asyncio.iscoroutine(token) else token).version_id)
