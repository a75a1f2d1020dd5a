"""The client for asyncio."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING

from talend_token._client import TokenClient
from talend_token.errors import TalendTokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from talend_token._token import Token


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
        if token is None:
            task = self._begin(key, lambda: self._client.get_token(min_remaining))
            # While a STALE token's successor is looked for in the thread, this task keeps the token too.
            token = self._client._at_hand(min_remaining, others_ask=True) or await _shared(task)
        return token

    async def renew(self, rejected: Token) -> Token:
        """See `TokenClient.renew`."""
        key = ("renew", asyncio.get_running_loop(), rejected.version_id)
        return await _shared(self._begin(key, lambda: self._client.renew(rejected)))

    def _begin(self, key: Hashable, call: Callable[[], Token]) -> asyncio.Task[Token]:
        """A call in a thread: one at a time for all tasks."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(asyncio.to_thread(call))
            task.add_done_callback(lambda _: self._tasks.pop(key))
            # Perhaps nobody waits for a failure.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def __repr__(self) -> str:
        return f"AsyncTokenClient({self._client!r})"


async def _shared(task: asyncio.Task[Token]) -> Token:
    """What the task returns. Who is cancelled leaves it running, and an error is each waiting task's own."""
    try:
        return await asyncio.shield(task)
    except TalendTokenError as error:
        raise copy.copy(error) from None
