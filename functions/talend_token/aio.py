"""The client for asyncio and trio."""

from __future__ import annotations

import asyncio
import copy
from functools import partial
from typing import TYPE_CHECKING

from talend_token._client import TokenClient
from talend_token.errors import TalendTokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from talend_token._token import Token


class AsyncTokenClient:
    """A `TokenClient` that does not block the event loop. See `TokenClient` for results and errors.

    A FRESH token is returned at once, on any event loop. For anything else, boto3 would block, so it runs in a thread.
    All asyncio tasks that wait for the same token share one thread; each trio task has a thread of its own.
    """

    def __init__(self, client: TokenClient | None = None) -> None:
        """Wrap a client, which threads may share; by default, a client with the source that the environment names."""
        self._client = client or TokenClient()
        self._tasks: dict[Hashable, asyncio.Task[Token]] = {}

    async def get_token(self, min_remaining: float = 0) -> Token:
        """See `TokenClient.get_token`."""
        token = self._client._without_read(min_remaining, others_read=False)
        if token is not None:
            return token
        call = partial(self._client.get_token, min_remaining)
        if not _is_asyncio():
            return await _in_trio_thread(call)
        task = self._begin(("get", asyncio.get_running_loop(), min_remaining), call)
        # While the thread reads a STALE token's successor, this task gets the STALE token too.
        return self._client._without_read(min_remaining, others_read=True) or await _shared(task)

    async def renew(self, rejected: Token) -> Token:
        """See `TokenClient.renew`."""
        call = partial(self._client.renew, rejected)
        if not _is_asyncio():
            return await _in_trio_thread(call)
        return await _shared(self._begin(("renew", asyncio.get_running_loop(), rejected.version_id), call))

    def _begin(self, key: Hashable, call: Callable[[], Token]) -> asyncio.Task[Token]:
        """Return the task that makes the call in a thread. A running task is reused."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.get_running_loop().create_task(asyncio.to_thread(call))
            task.add_done_callback(lambda _: self._tasks.pop(key))
            # Retrieved here because all tasks that waited for it may have been cancelled.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    def __repr__(self) -> str:
        return f"AsyncTokenClient({self._client!r})"

    def __reduce__(self) -> tuple[type[AsyncTokenClient], tuple[TokenClient]]:
        """Leave out the tasks, because they belong to an event loop of this process."""
        return type(self), (self._client,)


async def _shared(task: asyncio.Task[Token]) -> Token:
    """Await the shared task. Cancelling one waiter does not cancel it; each waiter gets its own copy of the error."""
    try:
        return await asyncio.shield(task)
    except TalendTokenError as error:
        raise copy.copy(error) from None


def _is_asyncio() -> bool:
    """Return True in an asyncio task. In trio's guest mode, asyncio's loop is running, but not one of its tasks."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


async def _in_trio_thread(call: Callable[[], Token]) -> Token:
    """Make the call in a thread. A task that is cancelled leaves it running."""
    try:
        import trio

        trio.lowlevel.current_task()
    except (ImportError, RuntimeError):
        raise RuntimeError("only asyncio and trio can wait for a token that is not FRESH") from None
    return await trio.to_thread.run_sync(call, abandon_on_cancel=True)
