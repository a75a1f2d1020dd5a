"""Which fault comes when, and how another process names one."""

import threading
from collections import deque
from typing import Any

from talend_simulator.faults import (
    Amend,
    Answer,
    Close,
    Drip,
    Fault,
    HtmlAnswer,
    Huge,
    JsonAnswer,
    Redirect,
    Reset,
    SameToken,
    Stall,
    Truncate,
)


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


KINDS: dict[str, type[Fault]] = {
    fault.kind: fault
    for fault in (
        Answer,
        JsonAnswer,
        HtmlAnswer,
        Redirect,
        SameToken,
        Amend,
        Truncate,
        Stall,
        Drip,
        Close,
        Reset,
        Huge,
    )
}


def fault_of(members: dict[str, Any]) -> Fault:
    """The fault that a JSON object describes: its `kind` and the members of that class; `ValueError` if it does not."""
    kind = members.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    try:
        # JSON has no tuples.
        return KINDS[kind](
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in members.items()
                if name != "kind"
            }
        )
    except TypeError as error:
        raise ValueError(f"{kind}: {str(error).partition(' ')[2]}") from error
