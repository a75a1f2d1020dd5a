"""One call at a time for what many threads need at the same moment."""

from __future__ import annotations

import copy
import threading

from talend_token.errors import TalendTokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

# Longer than a read or a renewal with all its time limits. A call that takes longer hangs on a server that sends byte
# after byte, or was interrupted at a point where nothing could be cleaned up.
_PATIENCE_SECONDS = 90


class _Flight:
    __slots__ = ("error", "failed", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.failed = False
        self.error: TalendTokenError | None = None


class SingleFlight:
    """Makes one call at a time for each key. Threads that need it meanwhile wait for it, and share its failure."""

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """After `patience_seconds` of waiting, another thread makes the call."""
        self._patience_seconds = patience_seconds
        self._flights: dict[Hashable, _Flight] = {}

    def do(self, key: Hashable, call: Callable[[], None]) -> None:
        """Make the call, or wait for the one that another thread is making.

        A `TalendTokenError` of it is raised in every thread that waited. Anything else, such as a KeyboardInterrupt,
        concerns the calling thread alone, so one of the waiting threads makes the call again.
        """
        while (flight := self._lead(key, call)) is not None:
            if not flight.landed.wait(self._patience_seconds):
                flight.failed = True
                self._end(key, flight)
            elif flight.error is not None:
                # A copy: threads that raise one exception write into one traceback, and show each other's variables.
                raise copy.copy(flight.error)
            elif not flight.failed:
                return

    def do_unless_under_way(self, key: Hashable, call: Callable[[], None]) -> None:
        """Make the call, or return at once if another thread is making it."""
        self._lead(key, call)

    def _lead(self, key: Hashable, call: Callable[[], None]) -> _Flight | None:
        """Make the call and return None, or return the flight of the thread that is making it."""
        mine = _Flight()
        try:
            # One step, so that it needs no lock, and an interrupt leaves nothing half done.
            flight = self._flights.setdefault(key, mine)
            if flight is not mine:
                return flight
            call()
        except BaseException as error:
            mine.failed = True
            if isinstance(error, TalendTokenError):
                mine.error = copy.copy(error)
            raise
        finally:
            self._end(key, mine)
        return None

    def _end(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            self._flights.pop(key, None)
        flight.landed.set()
