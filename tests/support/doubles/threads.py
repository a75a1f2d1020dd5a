"""Many callers at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def in_threads(call: Callable[[], Any], number: int = 500) -> list[Any]:
    """Return what `call` returned or raised in each of many threads that begin together."""
    begin = threading.Barrier(number)

    def run() -> Any:
        begin.wait()
        return call()

    with ThreadPoolExecutor(number) as pool:
        ends = [pool.submit(run) for _ in range(number)]
    return [end.exception() or end.result() for end in ends]
