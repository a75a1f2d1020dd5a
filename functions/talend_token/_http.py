"""What requests and httpx have in common: where a token may be sent, and which bodies can be sent twice."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from talend_token._token import Token
from talend_token.errors import BodyNotRepeatable, HostNotAllowed

_DEFAULT_PORTS = {"https": 443, "http": 80}


class AllowedOrigins:
    """The origins that may see a token: its own API's, and those that the user names."""

    def __init__(self, also: Iterable[str] = ()) -> None:
        """`also`: base URLs of further hosts that may see the token.

        Raises:
            ValueError: one of them is not a URL with a scheme and a host.
        """
        if isinstance(also, str):
            also = (also,)
        self._also = frozenset(_origin(url) for url in also)

    def allow(self, url: str, token: Token) -> bool:
        """True if scheme, host and port are those of the token's API, or of a URL that the user named."""
        try:
            origin = _origin(url)
        except ValueError:
            return False
        return origin == _origin(token.api_url) or origin in self._also

    def check(self, url: str, token: Token) -> None:
        """Refuse any other URL.

        Raises:
            HostNotAllowed: the request must not be sent.
        """
        if not self.allow(url, token):
            scheme, host, port = _origin(url)
            raise HostNotAllowed(
                f"the token is for {token.api_url} and is not sent to {scheme}://{host}:{port}. If that host may see "
                f'it, say TalendAuth(also_for=["{scheme}://{host}:{port}"]).'
            )


def is_base_url(url: str) -> bool:
    """True for an absolute http or https URL with a host."""
    try:
        return _origin(url)[0] in _DEFAULT_PORTS
    except ValueError:
        return False


# A request's URL is looked at several times, and its token's at each request.
@lru_cache(maxsize=64)
def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port [RFC 6454, 4]."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL with a scheme and a host, such as https://api.us.cloud.talend.com")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def start_of(method: str | None, body: Any) -> int | None:
    """Return the position that a file is read from, to set it back there; None for any other body.

    Raises:
        BodyNotRepeatable: the body is used up by being sent once, such as a generator or a pipe.
    """
    if hasattr(body, "read"):
        position = _position(body)
        if position is not None:
            return position
    # An object that makes a new iterator for each pass can be sent again.
    elif body is None or (isinstance(body, Iterable) and iter(body) is not body):
        return None
    raise BodyNotRepeatable(
        f"the body of this {method} request cannot be sent a second time, should the token be rejected. Give bytes or "
        "a file that can be rewound; or set the header yourself, with the token of a TokenClient, and handle the 401."
    )


def _position(file: Any) -> int | None:
    """Return the position of a file that can be set back; None if it cannot, or has to be awaited."""
    if hasattr(file, "__aiter__"):
        return None
    try:
        # Some files do not say whether they are seekable: a mmap, and on Python 3.10 a SpooledTemporaryFile.
        if not getattr(file, "seekable", lambda: True)():
            return None
        position = file.tell()
        file.seek(position)
    except Exception:  # noqa: BLE001 (a file of the user's own may raise anything)
        return None
    return position if isinstance(position, int) else None
