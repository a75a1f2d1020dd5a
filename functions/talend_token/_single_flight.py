"""Lets threads that need the same call at the same time share it."""

from __future__ import annotations

import copy
import threading

from talend_token.errors import TalendTokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

# Longer than a read or a renewal with all its time limits. A call that takes longer hangs on a server that sends one
# byte after the other, or was interrupted where nothing could be cleaned up.
_PATIENCE_SECONDS = 90


class _Flight:
    __slots__ = ("error", "failed", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.failed = False
        self.error: TalendTokenError | None = None


class SingleFlight:
    """Makes one call at a time for each key. Other threads that need the call wait for it and share its failure."""

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Create it. A thread that has waited for `patience_seconds` makes the call itself."""
        self._patience_seconds = patience_seconds
        self._flights: dict[Hashable, _Flight] = {}

    def do(self, key: Hashable, call: Callable[[], None]) -> None:
        """Make the call, or wait for the one that another thread is making.

        If the call raises a `TalendTokenError`, every thread that waited raises it too. Any other exception, such as a
        KeyboardInterrupt, only concerns the calling thread, so one of the waiting threads makes the call again.
        """
        while (flight := self._lead(key, call)) is not None:
            if not flight.landed.wait(self._patience_seconds):
                flight.failed = True
                self._end(key, flight)
            elif flight.error is not None:
                # A copy, because threads that raise the same exception would share its traceback and show each other's
                # variables.
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
            # This is one atomic step, so it needs no lock, and an interrupt cannot leave it half done.
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
