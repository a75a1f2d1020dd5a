# No `from __future__ import annotations`: the simulator checks a fault's members by their types.
"""What the simulator's own faults cannot send: answers that are no HTTP, and answers that take their time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, override

from talend_simulator import Drip
from talend_simulator.connection import Connection
from talend_simulator.faults import Fault
from talend_simulator.messages import Response


def http(body: bytes, *fields: str, status_line: str = "HTTP/1.1 200 OK") -> bytes:
    """An answer with these header fields and its length."""
    return plain(body, f"Content-Length: {len(body)}", *fields, status_line=status_line)


def plain(body: bytes, *fields: str, status_line: str = "HTTP/1.1 200 OK") -> bytes:
    """An answer with these header fields only."""
    return "".join(f"{line}\r\n" for line in (status_line, *fields, "")).encode("latin-1") + body


@dataclass(frozen=True)
class Wire(Fault):
    """Sends what `form` makes of the body that holds a real token, and ends the connection."""

    kind: ClassVar[str] = "wire"
    form: Callable[[bytes], bytes] = field(repr=False)

    @override
    def send(self, response: Response, connection: Connection) -> None:
        # What is said of the connection is part of the form.
        connection.close()
        connection.write(self.form(response.body))


@dataclass(frozen=True)
class Hang(Wire):
    """Sends what `form` makes of the body, and then nothing until the client leaves."""

    kind: ClassVar[str] = "hang"

    @override
    def send(self, response: Response, connection: Connection) -> None:
        super().send(response, connection)
        connection.wait()


@dataclass(frozen=True)
class DripAll(Drip):
    """Drips the form from its first byte on. Ends after a second at the most, with a real token."""

    kind: ClassVar[str] = "drip_all"
    form: Callable[[bytes], bytes] = field(repr=False, default=http)

    @override
    def send(self, response: Response, connection: Connection) -> None:
        connection.close()
        wire = self.form(response.body)
        for start in range(0, len(wire), self.chunk_bytes):
            connection.wait(self.interval_seconds)
            connection.write(wire[start : start + self.chunk_bytes])
