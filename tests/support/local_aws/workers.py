"""All execution environments of all functions."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_aws.function import Function
from local_aws.runtime_api import Invocation, Outcome
from local_aws.worker import Worker


class Workers:
    """Starts and reuses workers: at most `concurrency` of each function, and callers beyond that wait their turn."""

    def __init__(self, runtimes: Mapping[str, Sequence[str]], concurrency: int) -> None:
        self._runtimes = runtimes
        self._concurrency = concurrency
        self._workers: list[Worker] = []
        # One limit a function and not one for all: a function that waits for another must not hold its place.
        self._turns: dict[str, asyncio.Semaphore] = {}

    async def run(self, function: Function, invocation: Invocation) -> tuple[Outcome, str]:
        """Run one invocation on an idle worker of the function, or on a new one."""
        async with self._turns.setdefault(function.key, asyncio.Semaphore(self._concurrency)):
            worker = next((w for w in self._workers if w.function.key == function.key and not w.busy), None)
            if worker is None:
                worker = Worker(function, self._runtimes[function.config["Runtime"]], self._ended)
                self._workers.append(worker)
            worker.busy = True
            try:
                return await worker.invoke(invocation)
            finally:
                worker.busy = False
                if worker.outdated or not worker.alive:
                    self._remove(worker)

    def _ended(self, worker: Worker) -> None:
        if not worker.busy:
            self._remove(worker)

    def _remove(self, worker: Worker) -> None:
        worker.stop()
        if worker in self._workers:
            self._workers.remove(worker)

    def discard(self, outdated: Callable[[Function], bool]) -> None:
        """Stop the workers of such functions: idle ones now, busy ones when they have answered."""
        for worker in [w for w in self._workers if outdated(w.function)]:
            worker.outdated = True
            if not worker.busy:
                self._remove(worker)

    async def stop(self) -> None:
        """Kill every worker, and wait until all are gone."""
        workers = list(self._workers)
        for worker in workers:
            self._remove(worker)
        for worker in workers:
            await worker.gone()

    def describe(self) -> list[Mapping[str, Any]]:
        """What each worker is and does."""
        return [
            {
                "function": worker.function.name,
                "pid": worker.pid,
                "busy": worker.busy,
                "invocations": worker.invocations,
                "log_stream": worker.log.stream,
            }
            for worker in self._workers
        ]
