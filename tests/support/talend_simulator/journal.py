"""What was asked of the simulator, without anything secret."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class JournalEntry:
    """One request.

    - `sequence`: 1 for the first request, without gaps; `time`: seconds on the simulator's clock when it was answered.
    - `path`: without the query, where a careless client may have put a token.
    - `status`: what the answer says; None if a fault sent no status line.
    - `client_id`: the account, if it is one that the simulator knows; anything else in its place is not kept.
    - `token_sha256`: the fingerprint of the token that was issued, or that the API was called with.
    - `fault`: the kind of the fault that was applied, if any.
    """

    sequence: int
    time: float
    method: str
    path: str
    status: int | None
    client_id: str | None
    token_sha256: str | None
    fault: str | None


class Journal:
    """Every request to the token endpoint and the API, in the order of the answers; safe to use from several threads.

    A request is written down before the first byte of its answer leaves: a client that has the answer finds it here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[JournalEntry] = []
        self._forgotten = 0

    def record(
        self,
        *,
        time: float,
        method: str,
        path: str,
        status: int | None,
        client_id: str | None,
        token_sha256: str | None,
        fault: str | None,
    ) -> None:
        with self._lock:
            sequence = self._forgotten + len(self._entries) + 1
            self._entries.append(JournalEntry(sequence, time, method, path, status, client_id, token_sha256, fault))

    def entries(self, *, after: int = 0) -> tuple[JournalEntry, ...]:
        """The entries whose sequence is greater than `after`."""
        with self._lock:
            return tuple(self._entries[max(after - self._forgotten, 0) :])

    def clear(self) -> None:
        """Forget the entries; the sequence goes on."""
        with self._lock:
            self._forgotten += len(self._entries)
            self._entries.clear()

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(self.entries())

    def __len__(self) -> int:
        return len(self.entries())
