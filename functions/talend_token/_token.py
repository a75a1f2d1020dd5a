"""The token that consumers get."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


class Token:
    """One published token. It has no printable form: only `access_token` gives it, where a request is made of it."""

    __slots__ = ("_access_token", "_api_url", "_expires_at", "_version_id")

    def __init__(self, access_token: str, *, expires_at: int, version_id: str, api_url: str) -> None:
        self._access_token = access_token
        self._expires_at = expires_at
        self._version_id = version_id
        self._api_url = api_url

    @property
    def access_token(self) -> str:
        """What goes into the header `Authorization: Bearer ...` [RFC 6750, 2.1]."""
        return self._access_token

    @property
    def expires_at(self) -> int:
        """The moment *before* which the token may be used: whole seconds since the epoch, UTC, by AWS's clock."""
        return self._expires_at

    @property
    def version_id(self) -> str:
        """The secret's version that holds it; empty for a token that comes from the environment."""
        return self._version_id

    @property
    def api_url(self) -> str:
        """Base URL of the API that the token is for, without a trailing slash."""
        return self._api_url

    def __repr__(self) -> str:
        return f"Token(version_id={self._version_id!r}, expires_at={self._expires_at}, api_url={self._api_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled: the pickle would show it. Have each process read its own.")
