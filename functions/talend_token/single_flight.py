"""One call at a time for what many threads want at the same moment."""

from __future__ import annotations

import copy
import threading

from talend_token.errors import TalendTokenError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class _Flight:
    __slots__ = ("error", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.error: BaseException | None = None


class SingleFlight:
    """Makes one call a key at a time; who comes meanwhile waits for it, and shares its failure."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def do(self, key: Hashable, call: Callable[[], None]) -> None:
        """Make the call, or wait for the one that another thread is making.

        A `TalendTokenError` of it is raised in every thread that waited. Anything else, such as a KeyboardInterrupt,
        concerns the calling thread alone: then one of the waiting threads makes the call again.
        """
        while True:
            flight, leads = self._board(key)
            if leads:
                return self._lead(key, flight, call)
            flight.landed.wait()
            if flight.error is None:
                return None
            if isinstance(flight.error, TalendTokenError):
                # A copy: threads that raise the same exception write into one traceback.
                raise copy.copy(flight.error) from flight.error

    def do_unless_under_way(self, key: Hashable, call: Callable[[], None]) -> None:
        """Make the call, unless another thread is at it: then do nothing, and wait for nothing."""
        flight, leads = self._board(key)
        if leads:
            self._lead(key, flight, call)

    def _board(self, key: Hashable) -> tuple[_Flight, bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = _Flight()
            return flight, True

    def _lead(self, key: Hashable, flight: _Flight, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            flight.error = error
            raise
        finally:
            with self._lock:
                del self._flights[key]
            flight.landed.set()
