"""One call at a time for what many threads want at the same moment."""

from __future__ import annotations

import copy
import threading

from talend_token.errors import TalendTokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

# Longer than a read or a renewal with all its time limits: who takes longer hangs on a server that drips, or was
# interrupted where nothing could be tidied up.
_PATIENCE_SECONDS = 90


class _Flight:
    __slots__ = ("error", "failed", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.failed = False
        self.error: TalendTokenError | None = None


class SingleFlight:
    """Makes one call a key at a time; who comes meanwhile waits for it, and shares its failure."""

    def __init__(self, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """After `patience_seconds` of waiting, another thread makes the call."""
        self._patience_seconds = patience_seconds
        self._flights: dict[Hashable, _Flight] = {}

    def do(self, key: Hashable, call: Callable[[], None]) -> None:
        """Make the call, or wait for the one that another thread is making.

        A `TalendTokenError` of it is raised in every thread that waited. Anything else, such as a KeyboardInterrupt,
        concerns the calling thread alone: then one of the waiting threads makes the call again.
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
        """Make the call, unless another thread is at it: then do nothing, and wait for nothing."""
        self._lead(key, call)

    def _lead(self, key: Hashable, call: Callable[[], None]) -> _Flight | None:
        """Make the call; the flight of another thread if that is at it."""
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
