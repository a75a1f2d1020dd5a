"""How an answer leaves through a client's connection: whole, in pieces, late, or not at all."""

import os
import selectors
import socket
import struct
import threading
from email.utils import formatdate
from http import HTTPStatus

from talend_simulator.messages import Response


class Stalls:
    """The answers that are being held back, until they are released or their client leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waking: set[socket.socket] = set()
        self._closed = False

    def __len__(self) -> int:
        with self._lock:
            return len(self._waking)

    def release(self) -> int:
        """Let go of every answer that is held back now; their number."""
        with self._lock:
            for waking in self._waking:
                waking.send(b"\0")
            return len(self._waking)

    def close(self) -> None:
        """Release all, and refuse to hold any other back."""
        with self._lock:
            self._closed = True
        self.release()

    def wait(self, client: socket.socket, seconds: float | None = None) -> None:
        """Return when released or when `seconds` have passed; `ConnectionAbortedError` if the client has left.

        A client that closes only its sending side counts as having left.
        """
        woken, waking = socket.socketpair()
        with woken, waking, selectors.DefaultSelector() as selector:
            selector.register(woken, selectors.EVENT_READ)
            selector.register(client, selectors.EVENT_READ)
            with self._lock:
                if self._closed:
                    raise ConnectionAbortedError("the simulator is being stopped")
                self._waking.add(waking)
            try:
                ready = {key.fileobj for key, _ in selector.select(seconds)}
                if client in ready and client.recv(1, socket.MSG_PEEK):
                    # The next request is there already: only a release can end the wait now.
                    selector.unregister(client)
                    selector.select(seconds)
                elif client in ready:
                    raise ConnectionAbortedError("the client has left")
            finally:
                with self._lock:
                    self._waking.discard(waking)


class Connection:
    """The sending side of a client's connection, for one answer.

    Whoever sends less than the `content_length` that was announced calls `close` or `reset` at the end.
    """

    def __init__(self, client: socket.socket, stalls: Stalls, *, head_only: bool, keep_alive: bool) -> None:
        self._client = client
        self._stalls = stalls
        self._head_only = head_only
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
        status_line = f"HTTP/1.1 {response.status} {phrase}\r\n"
        self._client.sendall(f"{status_line}{head}\r\n".encode("latin-1") + (b"" if self._head_only else body))

    def write(self, body: bytes) -> None:
        """Send more of the body."""
        if not self._head_only:
            self._client.sendall(body)

    def wait(self, seconds: float | None = None) -> None:
        """Hold back until released, or for `seconds`; `ConnectionAbortedError` if the client leaves meanwhile."""
        self._stalls.wait(self._client, seconds)

    def close(self) -> None:
        """Send nothing more and end the connection."""
        self.keep_alive = False

    def reset(self) -> None:
        """End the connection at once with a TCP reset, as a server that died does."""
        self.keep_alive = False
        self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Closed below the socket object, which would say goodbye first and wait for the files made from it.
        os.close(self._client.detach())
