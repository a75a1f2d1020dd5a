"""Parses a credentials secret, in either of its two documented formats."""

from __future__ import annotations

import base64
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.api_url import checked_api_url
from rotator.domain.errors import CredentialsError, InvalidApiUrl
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


@dataclass(frozen=True)
class Credentials:
    """A service account's ID and secret, from one version of a credentials secret."""

    secret_id: str
    """Name or ARN of the credentials secret."""
    version_id: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    api_url: str
    """Base URL of the API that the credentials are for."""

    @property
    def token_endpoint(self) -> str:
        """The URL that the credentials are sent to [Talend's user guide, generating a service account token]."""
        return f"{self.api_url}/security/oauth/token"


def parse_credentials(secret_id: str, version_id: str, text: Sensitive[str] | None, api_url: str) -> Credentials:
    """Parse `ID:secret`, split at the first colon, or JSON with the members `id`, `secret` and optionally `api_url`.

    `text` is None if the secret holds a binary value. `api_url` is used unless the secret names another API.

    Raises:
        CredentialsError: the secret is in neither format. The message gives `secret_id`, the problem and the fix, but
            never the value.
    """
    if text is None:
        raise CredentialsError(secret_id, "holds a binary value, not a string", _FORMS)
    value = Sensitive(text.reveal().strip(_SURROUNDING))
    if not value.reveal():
        raise CredentialsError(secret_id, "is empty", _FORMS)
    if _is_encoded(value):
        raise CredentialsError(secret_id, "holds encoded credentials", _DECODE_FIRST)
    if value.reveal().startswith("{"):
        members = _members(secret_id, value)
        pair = Sensitive([members.reveal()["id"], members.reveal()["secret"]])
        api_url = _api_url(secret_id, members) or api_url
    elif value.reveal().startswith(("[", '"', "'")):
        raise CredentialsError(secret_id, "starts with a quote or a bracket", _FORMS)
    elif ":" not in value.reveal():
        raise CredentialsError(secret_id, "has no colon between ID and secret", _FORMS)
    else:
        pair = Sensitive(value.reveal().split(":", 1))
    _check(secret_id, pair)
    client_id, client_secret = (Sensitive(part.strip(_SURROUNDING)) for part in pair.reveal())
    return Credentials(secret_id, version_id, client_id.reveal(), client_secret.reveal(), api_url)


def _members(secret_id: str, value: Sensitive[str]) -> Sensitive[dict[str, Any]]:
    members = json_object(value)
    if members is None:
        raise CredentialsError(secret_id, "starts with '{' but is not a JSON object", _FORMS)
    for name in ("id", "secret"):
        if not isinstance(members.reveal().get(name), str):
            raise CredentialsError(secret_id, f"has no string member {name!r}", _FORMS)
    return members


def _api_url(secret_id: str, members: Sensitive[dict[str, Any]]) -> str | None:
    if not members.reveal().get("api_url"):
        return None
    with suppress(InvalidApiUrl, TypeError, AttributeError):
        return checked_api_url(members.reveal()["api_url"])
    # The message of InvalidApiUrl shows the value, which may be a secret that was stored in the wrong member.
    fix = "Use one like 'https://api.eu.cloud.talend.com', or remove the member."
    raise CredentialsError(secret_id, "has a member 'api_url' that is not the base URL of an API", fix)


def _check(secret_id: str, pair: Sensitive[list[str]]) -> None:
    for name, position in (("ID", 0), ("secret", 1)):
        part = Sensitive(pair.reveal()[position].strip(_SURROUNDING))
        if not part.reveal():
            raise CredentialsError(secret_id, f"has an empty {name}", _FORMS)
        for number, character in enumerate(part.reveal(), start=1):
            # Talend issues visible ASCII only. Anything else was added by copying, such as a byte order mark read in
            # another encoding, a no-break space, a typographic quote, or a line break, which RFC 7617 section 2
            # forbids.
            if not " " <= character <= "~":
                what = f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character or line break')})"
                fix = "Copy the ID and the secret again, as plain text in visible ASCII characters."
                raise CredentialsError(secret_id, f"has the character {what} at position {number} of its {name}", fix)
    if ":" in pair.reveal()[0]:
        # The server splits at the first colon (RFC 7617 section 2), so it would read another ID and another secret.
        raise CredentialsError(secret_id, "has a colon in its ID", _FORMS)


def _is_encoded(value: Sensitive[str]) -> bool:
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
