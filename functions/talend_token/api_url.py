"""Checks the base URL of a Talend API, to which credentials are sent."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def checked_api_url(url: str) -> str:
    """Return `url` without trailing slashes, if it is an `https` URL, or an `http` URL of a loopback host.

    Raises:
        ValueError: the URL has another scheme, no host, or parts that a base URL must not have.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"API URL {url!r} is malformed: {error}.") from error
    if not host or port == 0 or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"API URL {url!r} is malformed. Use one like 'https://api.eu.cloud.talend.com'.")
    if parts.username is not None or "?" in url or "#" in url:
        # The URL may hold a password, so the message does not repeat it.
        raise ValueError(f"the API URL for host {host!r} must not have a user, a query or a fragment.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(f"API URL {url!r} must start with 'https://'. Credentials are never sent in clear text.")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
