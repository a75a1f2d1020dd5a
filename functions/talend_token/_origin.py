"""Where a token may be sent."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from talend_token._token import Token
from talend_token.errors import HostNotAllowed

_DEFAULT_PORTS = {"https": 443, "http": 80}


class AllowedOrigins:
    """The API that a token is for, and what else the user says."""

    def __init__(self, also: Iterable[str] = ()) -> None:
        """`also`: base URLs of further hosts that may see the token.

        Raises:
            ValueError: one of them is no URL with scheme and host.
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
                f"the token is for {token.api_url} and is not sent to {scheme}://{host}:{port}. If that host is meant "
                f'to see it, say TalendAuth(also_for=["{scheme}://{host}:{port}"]).'
            )


def is_base_url(url: str) -> bool:
    """True for an absolute http or https URL with a host."""
    try:
        return _origin(url)[0] in _DEFAULT_PORTS
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port [RFC 6454, 4]."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.hostname:
        raise ValueError(f"{url!r} is no URL with a scheme and a host, such as https://api.us.cloud.talend.com")
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)
