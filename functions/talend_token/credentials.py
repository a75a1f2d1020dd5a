"""Parses a credentials secret, in either of its two formats. The rotator and the command line share this module."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from talend_token.api_url import checked_api_url
from talend_token.document import Sensitive, json_object

_FORMS = 'Store \'ID:secret\' or {"id": "...", "secret": "..."} as the secret\'s string.'
_DECODE_FIRST = (
    "It looks like Base64 or like an Authorization header. Store the plain text 'ID:secret' from before the encoding."
)
# Some editors save files with a byte order mark, which Python does not count as white space.
_SURROUNDING = " \t\r\n\v\f\ufeff"
# An Authorization header, or its value, as operators copy it (RFC 7617 section 2).
_HEADER = re.compile(r"""[^:=]*authorization["']?\s*[:=]|["']?basic\s""", re.IGNORECASE)
_BASE64 = re.compile(r"""["']?([A-Za-z0-9+/_=\s-]+)["']?""")
_BYTE_ORDER_MARKS = b"\xff\xfe\xef\xbb\xbf"
_URL_SAFE = str.maketrans("-_", "+/")


class InvalidCredentials(ValueError):
    """A text does not hold credentials. `problem` and `fix` never repeat the text."""

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}. {fix}")
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True)
class CredentialsPair:
    """A service account's ID and secret."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    api_url: str | None = None
    """Base URL of the API that the credentials are for; None for the stack's."""

    @classmethod
    def from_text(cls, text: Sensitive[str] | None) -> CredentialsPair:
        """Parse `ID:secret`, split at the first colon, or JSON with the members `id`, `secret` and maybe `api_url`.

        `text` is None if the secret holds a binary value.

        Raises:
            InvalidCredentials: the text is in neither format. The error gives the problem and the fix, but never the
                value.
        """
        if text is None:
            raise InvalidCredentials("holds a binary value, not a string", _FORMS)
        value = Sensitive(text.reveal().strip(_SURROUNDING))
        if not value.reveal():
            raise InvalidCredentials("is empty", _FORMS)
        if is_encoded(value):
            raise InvalidCredentials("holds encoded credentials", _DECODE_FIRST)
        api_url = None
        if value.reveal().startswith("{"):
            members = _members(value)
            pair = Sensitive([members.reveal()["id"], members.reveal()["secret"]])
            api_url = _api_url(members)
        elif value.reveal().startswith(("[", '"', "'")):
            raise InvalidCredentials("starts with a quote or a bracket", _FORMS)
        elif ":" not in value.reveal():
            raise InvalidCredentials("has no colon between ID and secret", _FORMS)
        else:
            pair = Sensitive(value.reveal().split(":", 1))
        _check(pair)
        client_id, client_secret = (Sensitive(part.strip(_SURROUNDING)) for part in pair.reveal())
        return cls(client_id.reveal(), client_secret.reveal(), api_url)

    def to_text(self) -> Sensitive[str]:
        """Return the text to store: `ID:secret`, or JSON if the credentials name their API."""
        if self.api_url is None:
            return Sensitive(f"{self.client_id}:{self.client_secret}")
        return Sensitive(json.dumps({"id": self.client_id, "secret": self.client_secret, "api_url": self.api_url}))


def _members(value: Sensitive[str]) -> Sensitive[dict[str, Any]]:
    members = json_object(value)
    if members is None:
        raise InvalidCredentials("starts with '{' but is not a JSON object", _FORMS)
    for name in ("id", "secret"):
        if not isinstance(members.reveal().get(name), str):
            raise InvalidCredentials(f"has no string member {name!r}", _FORMS)
    return members


def _api_url(members: Sensitive[dict[str, Any]]) -> str | None:
    if not members.reveal().get("api_url"):
        return None
    with suppress(ValueError, TypeError, AttributeError):
        return checked_api_url(members.reveal()["api_url"])
    # The message of that ValueError shows the value, which may be a secret that was stored in the wrong member.
    fix = "Use one like 'https://api.eu.cloud.talend.com', or remove the member."
    raise InvalidCredentials("has a member 'api_url' that is not the base URL of an API", fix)


def _check(pair: Sensitive[list[str]]) -> None:
    for name, position in (("ID", 0), ("secret", 1)):
        part = Sensitive(pair.reveal()[position].strip(_SURROUNDING))
        if not part.reveal():
            raise InvalidCredentials(f"has an empty {name}", _FORMS)
        for number, character in enumerate(part.reveal(), start=1):
            # Talend issues visible ASCII only. Anything else was added by copying, such as a byte order mark read in
            # another encoding, a no-break space, a typographic quote, or a line break, which RFC 7617 section 2
            # forbids.
            if not " " <= character <= "~":
                what = f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character or line break')})"
                fix = "Copy the ID and the secret again, as plain text in visible ASCII characters."
                raise InvalidCredentials(f"has the character {what} at position {number} of its {name}", fix)
    if ":" in pair.reveal()[0]:
        # The server splits at the first colon (RFC 7617 section 2), so it would read another ID and another secret.
        raise InvalidCredentials("has a colon in its ID", _FORMS)


def is_encoded(value: Sensitive[str]) -> bool:
    """Return True for an Authorization header, or `ID:secret` in Base64, padded or not, on any number of lines."""
    if _HEADER.match(value.reveal()):
        return True
    base64_form: Sensitive[Any] = Sensitive(_BASE64.fullmatch(value.reveal()))
    if base64_form.reveal() is None:
        return False
    letters = Sensitive("".join(base64_form.reveal()[1].split()).rstrip("=").translate(_URL_SAFE))
    decoded = Sensitive("")
    with suppress(ValueError):
        padding = "=" * (-len(letters.reveal()) % 4)
        octets = Sensitive(base64.b64decode(letters.reveal() + padding, validate=True))
        # Windows PowerShell encodes UTF-16, which has a NUL next to each ASCII character.
        decoded = Sensitive(octets.reveal().replace(b"\0", b"").lstrip(_BYTE_ORDER_MARKS).decode("ascii"))
    # A secret that is not encoded may be valid Base64 too, but it does not decode to text.
    return ":" in decoded.reveal() and decoded.reveal().strip(_SURROUNDING).isprintable()
