"""The rows of the fault matrix: what is made to fail, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, override

from faults.matrix.cases import Case
from faults.matrix.columns import Expectation, Expected, State, Trigger, asks, healthy
from talend_simulator.connection import Connection
from talend_simulator.faults import Fault as TalendFault
from talend_simulator.messages import Response

type Arm = Callable[[Case], None]

# A run keeps ten seconds for publishing, which leaves a moment for its token call.
NO_TIME_TO_WAIT = 10.2


@dataclass(frozen=True)
class Fault:
    """One row: `hits` are the columns in which the fault is met, and in the others a run is healthy."""

    name: str
    arm: Arm
    expected: Expectation
    hits: Callable[[Trigger, State], bool] = asks
    fix: Arm = lambda _: None
    """The operator's fix, if an operator has caused the fault."""

    def expects(self, trigger: Trigger, state: State) -> Expected:
        expected = self.expected if self.hits(trigger, state) else healthy
        return expected if isinstance(expected, Expected) else expected(trigger, state)


def row(name: str, fault: TalendFault | Arm, expected: Expectation, fix: Arm = lambda _: None) -> Fault:
    """Return a row that the token endpoint or the credentials cause."""
    return Fault(name, each(fault) if isinstance(fault, TalendFault) else fault, expected, fix=fix)


def table(
    name: str, expected: Expected, values: Mapping[str, Any], arm: Callable[[Any], TalendFault | Arm] = lambda it: it
) -> Iterator[Fault]:
    """Yield a row for each value, which `arm` makes a fault of."""
    for kind, value in values.items():
        yield row(name.format(kind), arm(value), expected)


def by_text(values: Iterable[Any]) -> dict[str, Any]:
    """Return the values by their printed forms, which are cut short."""
    return {repr(value)[:60]: value for value in values}


# --- how the token endpoint is made to fail ---


def each(fault: TalendFault, *, times: int | None = None, seconds: float = 60) -> Arm:
    """Arm a fault of each token call; `seconds` are what the invocation has left, so that a run does not wait long."""

    def arm(case: Case) -> None:
        case.seconds = seconds
        case.world.talend.faults.add(fault, times=times)

    return arm


def http(body: bytes, *fields: str, status_line: str = "HTTP/1.1 200 OK") -> bytes:
    """Return an answer with its length and these header fields."""
    return plain(body, f"Content-Length: {len(body)}", *fields, status_line=status_line)


def plain(body: bytes, *fields: str, status_line: str = "HTTP/1.1 200 OK") -> bytes:
    """Return an answer with these header fields only."""
    return "".join(f"{line}\r\n" for line in (status_line, *fields, "")).encode("latin-1") + body


@dataclass(frozen=True)
class Wire(TalendFault):
    """Sends what `form` makes of the body of a good answer, and ends the connection, or waits for the client to leave.

    With `chunk_bytes`, it drips from the first byte on. It ends after a second at the most, with a real token.
    """

    form: Callable[[bytes], bytes] = field(default=http, repr=False)
    chunk_bytes: int = 0
    hangs: bool = False

    @override
    def send(self, response: Response, connection: Connection) -> None:
        # The form says itself whether the connection is kept.
        connection.close()
        octets = self.form(response.body)
        step = self.chunk_bytes or len(octets)
        for start in range(0, len(octets), step):
            if self.chunk_bytes:
                connection.wait(0.02)
            connection.write(octets[start : start + step])
        if self.hangs:
            connection.wait()
