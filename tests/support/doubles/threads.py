"""Many callers at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def in_threads(call: Callable[[], Any], number: int = 500) -> list[Any]:
    """What `call` returned or raised in each of many threads that begin together."""
    begin = threading.Barrier(number)
    ends: list[Any] = []

    def run() -> None:
        begin.wait()
        try:
            ends.append(call())
        except Exception as error:  # noqa: BLE001 (a thread has nobody to raise to)
            ends.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends
