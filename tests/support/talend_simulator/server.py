"""The HTTP server: a thread for each connection, on loopback only."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from loopback import HttpHandler, LoopbackServer
from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request

Exchange = Callable[[Request, Connection], None]


class Broken(StrEnum):
    """How a connection died that its client keeps for its next request."""

    RESET = "reset"
    """The next request is answered with a reset, as by a NAT gateway that has forgotten the connection."""
    CLOSED = "closed"
    """It was closed in the ordinary way, and the client may notice that before its next request."""
    SILENT = "silent"
    """The next request is swallowed, and nothing is ever answered."""


class Handler(HttpHandler):
    """Reads requests from one connection and passes each to the server's exchange."""

    server: "Server"

    def answer(self, body: bytes) -> None:
        connection = Connection(self.connection, self.server.stalls, keep_alive=not self.close_connection)
        broken = self.server.broken.get(self.connection)
        if broken is Broken.RESET:
            connection.reset()
        elif broken:
            connection.wait()
        else:
            path = self.path.partition("?")[0]
            self.server.exchange(Request(self.command, path, self.headers, body), connection)
        self.close_connection = not connection.keep_alive


class Server(LoopbackServer):
    """Has each request answered by `exchange`."""

    def __init__(self, port: int, exchange: Exchange, stalls: Stalls) -> None:
        self.exchange = exchange
        self.stalls = stalls
        self.broken: dict[Any, Broken] = {}
        super().__init__(Handler, port=port)

    def break_kept(self, how: Broken) -> int:
        """Break the connections that are open now, which must be idle; return their number."""
        kept = self.connections.copy()
        if how is Broken.CLOSED:
            self.close_connections()
        else:
            self.broken |= dict.fromkeys(kept, how)
        return len(kept)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.broken.pop(request, None)
