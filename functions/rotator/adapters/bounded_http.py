"""HTTP whose every exchange has an end: one deadline for connecting, the TLS handshake, and all that is sent and read.

The time-outs of `requests` are for one address, one write and one read each: a server that sends a byte now and then
keeps a client for as long as it likes.
"""

from __future__ import annotations

import http.client
import io
import logging
import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_ends_at: ContextVar[float] = ContextVar("_ends_at")


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """All that a `BoundedSession` does within the block, reading bodies included, ends with a time-out after `seconds`.

    One thing cannot be bounded: the resolver's own time-out is for each name server and attempt. What comes after it
    still keeps to the limit.
    """
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


class BoundedSession(requests.Session):
    """A session for use within `time_limit`. It keeps connections alive, follows no redirect and keeps no cookie.

    Proxies and the certificate authorities are the environment's, as everywhere in `requests`.
    """

    def __init__(self) -> None:
        super().__init__()
        # At WARNING it logs headers that it cannot parse as they came, and a server may repeat the request in them.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
        # One session serves all accounts: the server's memory of one has no place in a request for another.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _BoundedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No target. With `allow_redirects=False` alone, `requests` reads a redirect's body whole, however long."""


def _seconds_left(longest: float | None) -> float:
    """What is left of the block's time, `longest` at the most; None is no other limit.

    Raises:
        TimeoutError: nothing is left.
    """
    left = min(longest or math.inf, _ends_at.get() - time.monotonic())
    if left <= 0:
        raise TimeoutError("the time limit has passed")
    return left


class _Reader(io.RawIOBase):
    """The reading side of a socket; its time-out is what each read may take before the limit."""

    def __init__(self, connection: socket.socket, raw: io.RawIOBase) -> None:
        self._connection = connection
        self._raw = raw
        self._longest = connection.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._connection.settimeout(_seconds_left(self._longest))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Reader(sock, self.fp.detach()))


class _BoundedConnection(HTTPConnection):
    response_class = _Response

    def _new_conn(self) -> socket.socket:
        """Like urllib3's, but whatever the number of addresses that the host has."""
        try:
            found = socket.getaddrinfo(self._dns_host, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failure: OSError = OSError("no address")
        for *_, address in found:
            try:
                left = _seconds_left(self.timeout)
                connection = create_connection((str(address[0]), self.port), left, socket_options=self.socket_options)
                # For the TLS handshake, which Python bounds as a whole.
                connection.settimeout(_seconds_left(self.timeout))
                return connection
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(f"connecting to {self.host} timed out") from failure
        raise NewConnectionError(self, str(failure)) from failure

    def send(self, data: Any) -> None:
        if self.sock is not None:
            self.sock.settimeout(_seconds_left(self.timeout))
        super().send(data)


class _BoundedTLSConnection(_BoundedConnection, HTTPSConnection):
    pass


class _BoundedPool(HTTPConnectionPool):
    ConnectionCls = _BoundedConnection


class _BoundedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTLSConnection


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _BoundedPool, "https": _BoundedTLSPool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self.poolmanager.pool_classes_by_scheme
        return manager
