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
    """A `TokenClient` that does not block the event loop: see there for what it returns and raises.

    boto3 blocks, so it works in a thread. All tasks that wait for the same token share one thread.
    """

    def __init__(self, client: TokenClient | None = None) -> None:
        """Wrap a client, which threads may share; by default one of the source that the environment names."""
        self._client = client or TokenClient()
        self._tasks: dict[Hashable, asyncio.Task[Token]] = {}

    async def get_token(self, min_remaining: float = 0) -> Token:
        """See `TokenClient.get_token`."""
        key = ("get", asyncio.get_running_loop(), min_remaining)
        token = self._client._without_read(min_remaining, others_read=key in self._tasks)
        if token is None:
            task = self._begin(key, lambda: self._client.get_token(min_remaining))
            # While the thread reads a STALE token's successor, this task gets the token too.
            token = self._client._without_read(min_remaining, others_read=True) or await _shared(task)
        return token

    async def renew(self, rejected: Token) -> Token:
        """See `TokenClient.renew`."""
        key = ("renew", asyncio.get_running_loop(), rejected.version_id)
        return await _shared(self._begin(key, lambda: self._client.renew(rejected)))

    def _begin(self, key: Hashable, call: Callable[[], Token]) -> asyncio.Task[Token]:
        """Return the task that makes the call in a thread: the running one, or else a new one."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(asyncio.to_thread(call))
            task.add_done_callback(lambda _: self._tasks.pop(key))
            # A failure is retrieved here because all tasks that waited for it may have been cancelled.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def __repr__(self) -> str:
        return f"AsyncTokenClient({self._client!r})"

    def __reduce__(self) -> tuple[type[AsyncTokenClient], tuple[TokenClient]]:
        """Tasks belong to an event loop of this process."""
        return type(self), (self._client,)


async def _shared(task: asyncio.Task[Token]) -> Token:
    """Await the shared task. Cancelling one waiter does not cancel it; each waiter gets its own copy of the error."""
    try:
        return await asyncio.shield(task)
    except TalendTokenError as error:
        raise copy.copy(error) from None
