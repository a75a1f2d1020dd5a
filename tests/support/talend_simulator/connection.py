"""How an answer leaves through a client's connection: whole, in pieces, late, or not at all."""

import math
import os
import socket
import struct
import threading
import time
from email.utils import formatdate
from http import HTTPStatus

from talend_simulator.messages import Response

# Between two looks whether a client that waits for an answer has left.
_LOOK_SECONDS = 0.02


class Stalls(set[threading.Event]):
    """The answers that are being held back, each by the event that releases it."""

    def release(self) -> None:
        """Let go of every answer that is held back now."""
        for released in list(self):
            released.set()


def _has_left(client: socket.socket) -> bool:
    try:
        return not client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


class Connection:
    """The sending side of a client's connection, for one answer.

    A fault that sends less than the `content_length` that it announced calls `close` or `reset` at the end.
    """

    def __init__(self, client: socket.socket, stalls: Stalls, *, keep_alive: bool) -> None:
        self._client = client
        self._stalls = stalls
        self.keep_alive = keep_alive

    def send(self, response: Response) -> None:
        """Send the whole response in one go."""
        self.begin(response, len(response.body), response.body)

    def begin(self, response: Response, content_length: int | None, body: bytes = b"") -> None:
        """Send the head and the start of the body; with no `content_length` the body ends with the connection."""
        if content_length is None:
            self.keep_alive = False
        phrase = HTTPStatus(response.status).phrase if response.status in HTTPStatus else ""
        fields = {"Date": formatdate(usegmt=True), **response.headers}
        if content_length is not None and response.status != HTTPStatus.NO_CONTENT:
            fields["Content-Length"] = str(content_length)
        if not self.keep_alive:
            fields["Connection"] = "close"
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.write(f"HTTP/1.1 {response.status} {phrase}\r\n{head}\r\n".encode("latin-1") + body)

    def write(self, octets: bytes) -> None:
        """Send more."""
        self._client.sendall(octets)

    def wait(self, seconds: float = math.inf) -> None:
        """Hold back until released, or for `seconds`.

        Raises:
            ConnectionError: the client has left, or has closed its sending side.
        """
        released = threading.Event()
        self._stalls.add(released)
        ends = time.monotonic() + seconds
        try:
            while (left := ends - time.monotonic()) > 0 and not released.wait(min(left, _LOOK_SECONDS)):
                if _has_left(self._client):
                    raise ConnectionAbortedError("the client has left")
        finally:
            self._stalls.discard(released)

    def close(self) -> None:
        """Send nothing more and end the connection."""
        self.keep_alive = False

    def reset(self) -> None:
        """End the connection at once with a TCP reset, as a server that died does."""
        self.close()
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Closing the socket object would first end the connection in the ordinary way.
        os.close(self._client.detach())
