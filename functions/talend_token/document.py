"""The token document, which a token secret holds. The rotator and all readers share this module."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Generic, NoReturn, TypeVar

from talend_token._http import is_base_url
from talend_token._token import advisory_seconds
from talend_token.errors import InvalidTokenDocument

__all__ = ["LAST_SECOND", "Sensitive", "TokenDocument", "advisory_seconds", "fits_a_header", "json_object"]

# The end of the year 9999, which is the latest time that Python supports.
LAST_SECOND = 253_402_300_799

T = TypeVar("T")


class Sensitive(Generic[T]):
    """Holds a value that is never printed, neither in a log nor in a debugger's or crash reporter's list of variables.

    Code that handles a secret keeps it wrapped in its local variables, and calls `reveal()` only inside the expression
    that needs the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value, for the one expression that needs it."""
        return self._value

    def __repr__(self) -> str:
        return "<sensitive>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sensitive value cannot be pickled, because the pickle would show it")


@dataclass(frozen=True)
class TokenDocument:
    """One published token.

    Its text form is one line of JSON: `{"access_token": "...", "token_type": "Bearer", "issued_at": 1795472989,
    "expires_at": 1795474789, "api_url": "https://api.eu.cloud.talend.com", "version_id": "..."}`. Readers ignore
    members that they do not know.
    """

    access_token: str = field(repr=False)
    token_type: str
    issued_at: int
    """When the token was requested: whole seconds since the epoch, UTC."""
    expires_at: int
    """The moment *before* which the token may be used: whole seconds since the epoch, UTC."""
    api_url: str
    """Base URL of the API that the token is for, without a trailing slash."""
    version_id: str = ""
    """The version of the secret that holds the document, for readers that see only the text; empty if it is unknown."""

    @property
    def life_seconds(self) -> int:
        """For how long the token is valid in total."""
        return self.expires_at - self.issued_at

    def holds_same_token(self, other: TokenDocument) -> bool:
        """Return True if both have the same access token."""
        return self.access_token == other.access_token

    def remaining_seconds(self, now: float) -> float:
        """Return for how many seconds the token is still valid at `now`; negative once it has expired."""
        return self.expires_at - now

    def to_json(self) -> Sensitive[str]:
        """Return the document as the line of JSON that is stored."""
        return Sensitive(
            json.dumps(
                {
                    "access_token": self.access_token,
                    "token_type": self.token_type,
                    "issued_at": self.issued_at,
                    "expires_at": self.expires_at,
                    "api_url": self.api_url,
                    "version_id": self.version_id,
                }
            )
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token document cannot be pickled, because the pickle would show the token")

    @classmethod
    def from_json(cls, text: Sensitive[str]) -> TokenDocument:
        """Parse the text of a token secret.

        Raises:
            InvalidTokenDocument: `text` is not a JSON object, or a member is missing or invalid.
        """
        members = json_object(text)
        if members is None:
            raise InvalidTokenDocument("not a JSON object")
        for name in ("access_token", "token_type", "api_url"):
            if not isinstance(members.reveal().get(name), str) or not members.reveal()[name]:
                raise InvalidTokenDocument(f"member {name!r} is missing or is not a string")
        for name in ("issued_at", "expires_at"):
            # `true` is not a time, although bool is a subclass of int.
            if type(members.reveal().get(name)) is not int or not 0 <= members.reveal()[name] <= LAST_SECOND:
                raise InvalidTokenDocument(f"member {name!r} is missing or is not a whole number of seconds")
        if not isinstance(members.reveal().get("version_id", ""), str):
            raise InvalidTokenDocument("member 'version_id' is not a string")
        if not fits_a_header(members.reveal()["access_token"]):
            raise InvalidTokenDocument("member 'access_token' has characters that a header cannot hold")
        if not is_base_url(members.reveal()["api_url"]):
            raise InvalidTokenDocument("member 'api_url' is not a URL with a scheme and a host")
        if members.reveal()["expires_at"] <= members.reveal()["issued_at"]:
            raise InvalidTokenDocument("'expires_at' is not after 'issued_at'")
        return cls(
            access_token=members.reveal()["access_token"],
            token_type=members.reveal()["token_type"],
            issued_at=members.reveal()["issued_at"],
            expires_at=members.reveal()["expires_at"],
            api_url=members.reveal()["api_url"],
            version_id=members.reveal().get("version_id", ""),
        )


def fits_a_header(access_token: str) -> bool:
    """Return True if a token can be sent as `Authorization: Bearer ...` [RFC 6750, 2.1].

    It must be visible ASCII [RFC 6749, A.12] without spaces, because a space would end it.
    """
    return access_token.isascii() and access_token.isprintable() and " " not in access_token


def json_object(text: Sensitive[str] | Sensitive[bytes]) -> Sensitive[dict[str, Any]] | None:
    """Parse a text as a JSON object; return None if it is anything else.

    The parser's error must not leave this function, because a JSONDecodeError holds the whole text.
    """
    try:
        found: Sensitive[Any] = Sensitive(json.loads(text.reveal()))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found.reveal(), dict) else None
