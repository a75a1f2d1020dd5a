"""A Talend API that speaks HTTP/2 without TLS, for clients with prior knowledge."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from doubles import raw_server


@dataclass
class Http2Api:
    """Answers 200 to an accepted token, and 401 with a page to any other, which ends if `refusal_ends` is set."""

    url: str = ""
    accepted: set[str] = field(default_factory=set)
    refusal_bytes: int = 500
    refusal_ends: bool = True
    connections: list[socket.socket] = field(default_factory=list)


@contextmanager
def http2_api() -> Iterator[Http2Api]:
    api = Http2Api()
    with raw_server(lambda connection: _Connection(api, connection).serve()) as url:
        api.url = url
        yield api


class _Connection:
    def __init__(self, api: Http2Api, connection: socket.socket) -> None:
        self._api = api
        self._socket = connection
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._unsent: dict[int, bytes] = {}
        """The data that flow control has delayed, by stream."""
        self._accepted: set[int] = set()

    def serve(self) -> None:
        self._api.connections.append(self._socket)
        self._h2.initiate_connection()
        while True:
            self._socket.sendall(self._h2.data_to_send())
            octets = self._socket.recv(65_536)
            if not octets:
                raise ConnectionAbortedError
            for event in self._h2.receive_data(octets):
                if isinstance(event, h2.events.RequestReceived):
                    self._answer(event)
            for stream in list(self._unsent):
                self._send(stream)

    def _answer(self, request: h2.events.RequestReceived) -> None:
        token = dict(request.headers or [])["authorization"].removeprefix("Bearer ")
        is_accepted = token in self._api.accepted
        assert request.stream_id is not None
        if is_accepted:
            self._accepted.add(request.stream_id)
        self._h2.send_headers(request.stream_id, [(":status", "200" if is_accepted else "401")])
        self._unsent[request.stream_id] = b"welcome" if is_accepted else b"x" * self._api.refusal_bytes

    def _send(self, stream: int) -> None:
        try:
            while self._unsent[stream]:
                size = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
                if size <= 0:
                    return
                self._h2.send_data(stream, self._unsent[stream][:size])
                self._unsent[stream] = self._unsent[stream][size:]
            if self._api.refusal_ends or stream in self._accepted:
                self._h2.end_stream(stream)
                del self._unsent[stream]
        except h2.exceptions.StreamClosedError:
            del self._unsent[stream]
