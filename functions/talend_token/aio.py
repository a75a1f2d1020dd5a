"""The client for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from talend_token.client import TokenClient

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from talend_token.token import Token


class AsyncTokenClient:
    """A `TokenClient` whose waiting is done beside the event loop: see there for what it gives and raises.

    boto3 blocks, so it works in a thread; any number of tasks that wait for the same thing take one thread.
    """

    def __init__(self, client: TokenClient | None = None) -> None:
        """By default a client of the source that the environment names; one may be shared with threads."""
        self._client = client or TokenClient()
        self._tasks: dict[Hashable, asyncio.Task[Token]] = {}

    async def get_token(self, min_remaining: float = 0) -> Token:
        """See `TokenClient.get_token`."""
        key = ("get", asyncio.get_running_loop(), min_remaining)
        token = self._client._at_hand(min_remaining, others_ask=key in self._tasks)
        return token or await self._once(key, lambda: self._client.get_token(min_remaining))

    async def renew(self, rejected: Token) -> Token:
        """See `TokenClient.renew`."""
        key = ("renew", asyncio.get_running_loop(), rejected.version_id)
        return await self._once(key, lambda: self._client.renew(rejected))

    async def _once(self, key: Hashable, call: Callable[[], Token]) -> Token:
        """What a call in a thread returns: one at a time for all tasks. A task that is cancelled leaves it running."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(asyncio.to_thread(call))
            task.add_done_callback(lambda _: self._tasks.pop(key))
            # Somebody may be cancelled who alone waited for a failure.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    def __repr__(self) -> str:
        return f"AsyncTokenClient({self._client!r})"
