"""HTTP with one time limit for each exchange: connecting, the TLS handshake, and all that is sent and read.

The timeouts of `requests` apply to one address, one write and one read each, so a server that sends a byte now and then
can keep a client busy forever.
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
    """Make whatever a `BoundedSession` does within the block time out after `seconds`, including reading bodies.

    Name resolution cannot be bounded, because the resolver has its own timeouts. What follows it still keeps to the
    limit.
    """
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


class BoundedSession(requests.Session):
    """A session for use within `time_limit`. It reuses connections, but neither follows redirects nor keeps cookies.

    As usual in `requests`, proxies and certificate authorities come from the environment.
    """

    def __init__(self) -> None:
        super().__init__()
        # At level WARNING it logs unparsable response headers, in which a server may repeat the request.
        logging.getLogger("urllib3.connection").setLevel(logging.ERROR)
        # One session serves all accounts, and a cookie of one account must not be sent with another's request.
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("https://", "http://"):
            self.mount(scheme, _BoundedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None. With `allow_redirects=False` alone, `requests` would read the whole body of a redirect."""


def _seconds_left(longest: float | None) -> float:
    """Return the rest of the block's time, or `longest` if that is shorter. None means that there is no other limit.

    Raises:
        TimeoutError: the block's time has elapsed.
    """
    left = min(longest or math.inf, _ends_at.get() - time.monotonic())
    if left <= 0:
        raise TimeoutError("the time limit has passed")
    return left


class _Reader(io.RawIOBase):
    """The reading side of a socket. Each read gets a timeout that ends at the limit."""

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
        """Connect as urllib3 does, but within one time limit for all addresses of the host."""
        try:
            found = socket.getaddrinfo(self._dns_host, None, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failure: OSError = OSError("no address")
        for *_, address in found:
            try:
                left = _seconds_left(self.timeout)
                connection = create_connection((str(address[0]), self.port), left, socket_options=self.socket_options)
            except OSError as error:
                failure = error
                continue
            try:
                # This applies to the whole TLS handshake.
                connection.settimeout(_seconds_left(self.timeout))
                return connection
            except TimeoutError as error:
                connection.close()
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
