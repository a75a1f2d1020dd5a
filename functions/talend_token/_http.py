"""Code for both requests and httpx, which decides where a token may be sent and which bodies can be sent twice."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from talend_token._token import Token
from talend_token.errors import BodyNotRepeatable, HostNotAllowed

_DEFAULT_PORTS = {"https": 443, "http": 80}


class AllowedOrigins:
    """The origins to which a token may be sent: its API's and those that the user names."""

    def __init__(self, also: Iterable[str] = ()) -> None:
        """Allow the hosts of the base URLs in `also` in addition to the token's API.

        Raises:
            ValueError: a base URL does not have a scheme and a host.
        """
        if isinstance(also, str):
            also = (also,)
        self._also = frozenset(_origin(url) for url in also)

    def allow(self, url: str, token: Token) -> bool:
        """Return True if the scheme, host and port are those of the token's API or of a URL that the user named."""
        try:
            origin = _origin(url)
        except ValueError:
            return False
        return origin == _origin(token.api_url) or origin in self._also

    def check(self, url: str, token: Token) -> None:
        """Check that a token may be sent to a URL.

        Raises:
            HostNotAllowed: the token must not be sent to this URL.
        """
        if not self.allow(url, token):
            scheme, host, port = _origin(url)
            raise HostNotAllowed(
                f"the token is for {token.api_url} and is not sent to {scheme}://{host}:{port}. If that host may "
                f'receive it, use TalendAuth(also_for=["{scheme}://{host}:{port}"]).'
            )


def is_base_url(url: str) -> bool:
    """Return True for an absolute http or https URL with a host."""
    try:
        return _origin(url)[0] in _DEFAULT_PORTS
    except ValueError:
        return False


# A request's URL is parsed several times, and the API's URL at each request.
@lru_cache(maxsize=64)
def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port [RFC 6454, 4]."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL with a scheme and a host, such as https://api.us.cloud.talend.com")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def start_of(method: str | None, body: Any) -> int | None:
    """Return the position at which a file is read, so that it can be rewound; None for any other body.

    Raises:
        BodyNotRepeatable: the body can only be sent once, such as a generator or a pipe.
    """
    if hasattr(body, "read"):
        position = _position(body)
        if position is not None:
            return position
    # An object that makes a new iterator for each pass can be sent again.
    elif body is None or (isinstance(body, Iterable) and iter(body) is not body):
        return None
    raise BodyNotRepeatable(
        f"the body of this {method} request cannot be sent a second time if the token is rejected. Use bytes or a file "
        "that can be rewound, or set the header yourself with the token of a TokenClient and handle the 401."
    )


def _position(file: Any) -> int | None:
    """Return the position of a file; None if the file cannot be rewound or is asynchronous."""
    if hasattr(file, "__aiter__"):
        return None
    try:
        # Some files have no `seekable`, such as an mmap and, on Python 3.10, a SpooledTemporaryFile.
        if not getattr(file, "seekable", lambda: True)():
            return None
        position = file.tell()
        file.seek(position)
    except Exception:  # noqa: BLE001 (the user's own file class may raise anything)
        return None
    return position if isinstance(position, int) else None
