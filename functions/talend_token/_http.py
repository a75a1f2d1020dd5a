"""What requests and httpx have in common: where a token may be sent, and which bodies can be sent twice."""

from __future__ import annotations

from collections.abc import Iterable
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
        origin = _origin(url)
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


def _origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port [RFC 6454, 4]."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        raise ValueError(f"{url!r} is not a URL with a scheme and a host, such as https://api.us.cloud.talend.com")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def is_file(body: Any) -> bool:
    """True for a body that is read from a position, which has to be restored before it is sent again."""
    return hasattr(body, "read")


def check_repeatable(method: str | None, body: Any) -> None:
    """Refuse a body that is used up by being sent once.

    Raises:
        BodyNotRepeatable: a generator, another iterator, or a file that cannot be rewound, such as a pipe.
    """
    if body is None or isinstance(body, (str, bytes, bytearray)):
        return
    if is_file(body):
        repeatable = hasattr(body, "seekable") and body.seekable()
    else:
        # An object that makes a new iterator for each pass can be sent again.
        repeatable = isinstance(body, Iterable) and iter(body) is not body
    if not repeatable:
        raise BodyNotRepeatable(
            f"the body of this {method} request cannot be sent a second time, should the token be rejected. Give bytes "
            "or a file that can be rewound; or set the header yourself, with the token of a TokenClient, and handle "
            "the 401."
        )
