"""The order of faults."""

import threading
from collections import deque

from talend_simulator.faults import Fault


class FaultQueue:
    """Faults that wait for their turn, safe to use from several threads. When it is empty all is well again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: deque[tuple[Fault, int | None]] = deque()

    def add(self, fault: Fault, *, times: int | None = 1) -> None:
        """Apply the fault to the next `times` requests after those queued already; None: until `clear`."""
        if times is not None and times < 1:
            raise ValueError("times must be 1 or more, or None for a standing fault")
        with self._lock:
            self._faults.append((fault, times))

    def take(self) -> Fault | None:
        """The fault for one request; None if it is to be served well."""
        with self._lock:
            if not self._faults:
                return None
            fault, times = self._faults[0]
            if times == 1:
                self._faults.popleft()
            elif times is not None:
                self._faults[0] = (fault, times - 1)
            return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def waiting(self) -> tuple[tuple[Fault, int | None], ...]:
        """Each fault and how many requests it is still for, in order."""
        with self._lock:
            return tuple(self._faults)
