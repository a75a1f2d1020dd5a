"""Reads the two documented forms of a credentials secret."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.api_url import api_url_of, checked_api_url
from rotator.domain.errors import CredentialsError, InvalidApiUrl
from talend_token.document import Sensitive

_FORMS = 'Store \'ID:secret\' or {"id": "...", "secret": "..."} as the secret\'s string.'
_OPTIONAL = ("environment", "api_url")
# A byte order mark comes with files that some editors save, and is no white space to Python.
_SURROUNDING = " \t\r\n\v\f\ufeff"


@dataclass(frozen=True)
class Credentials:
    """A service account's ID and secret, and the API they are for if the secret names one."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    api_url: str | None = None


def parse_credentials(secret_id: str, text: Sensitive[str]) -> Credentials:
    """Read `ID:secret`, split at the first colon, or JSON: `id`, `secret` and optionally `environment` or `api_url`.

    Raises:
        CredentialsError: neither form; names `secret_id`, what is wrong and the fix, never the value.
    """
    value = Sensitive(text.reveal().strip(_SURROUNDING))
    if not value.reveal():
        raise CredentialsError(secret_id, "is empty", _FORMS)
    if value.reveal().startswith("{"):
        return _from_json(secret_id, value)
    if value.reveal().startswith(("[", '"', "'")):
        raise CredentialsError(secret_id, "starts with a quote or a bracket", _FORMS)
    if ":" not in value.reveal():
        hint = " It looks like the Base64 form: store the pair before encoding." if _is_encoded_pair(value) else ""
        raise CredentialsError(secret_id, "has no colon between ID and secret", _FORMS + hint)
    return _checked(secret_id, Sensitive(value.reveal().split(":", 1)), None)


def _from_json(secret_id: str, value: Sensitive[str]) -> Credentials:
    members = _json_object(value)
    if members is None:
        raise CredentialsError(secret_id, "starts with '{' but is not a JSON object", _FORMS)
    for name in ("id", "secret"):
        if not isinstance(members.reveal().get(name), str):
            raise CredentialsError(secret_id, f"has no member {name!r} that is a string", _FORMS)
    for name in _OPTIONAL:
        if name in members.reveal() and not isinstance(members.reveal()[name], str):
            raise CredentialsError(secret_id, f"has a member {name!r} that is not a string", "Make it one or drop it.")
    pair = Sensitive([members.reveal()["id"], members.reveal()["secret"]])
    return _checked(secret_id, pair, _api_url(secret_id, members))


def _api_url(secret_id: str, members: Sensitive[dict[str, Any]]) -> str | None:
    for member, api_url_from in (("api_url", checked_api_url), ("environment", api_url_of)):
        if members.reveal().get(member):
            try:
                return api_url_from(members.reveal()[member])
            except InvalidApiUrl:
                break
    else:
        return None
    # The message of InvalidApiUrl shows the value, which may be a secret that was put in the wrong member.
    fix = "Give 'environment' one like 'eu', or 'api_url' one like 'https://api.eu.cloud.talend.com'."
    raise CredentialsError(secret_id, f"has a member {member!r} that names no API", fix)


def _checked(secret_id: str, pair: Sensitive[list[str]], api_url: str | None) -> Credentials:
    for position, name in enumerate(("ID", "secret")):
        part = Sensitive(pair.reveal()[position].strip(_SURROUNDING))
        if not part.reveal():
            raise CredentialsError(secret_id, f"has an empty {name}", _FORMS)
        # RFC 7617 section 2: control characters are not allowed in either part. They come with a pasted line break.
        if any(ord(character) < 32 or ord(character) == 127 for character in part.reveal()):
            raise CredentialsError(secret_id, f"has a line break or control character in its {name}", _FORMS)
        if any(0xD800 <= ord(character) <= 0xDFFF for character in part.reveal()):
            raise CredentialsError(secret_id, f"has a character in its {name} that is not UTF-8", _FORMS)
        pair.reveal()[position] = part.reveal()
    if ":" in pair.reveal()[0]:
        # RFC 7617 section 2: the ID ends at the first colon, so the server would see another pair.
        raise CredentialsError(secret_id, "has a colon in its ID", _FORMS)
    return Credentials(client_id=pair.reveal()[0], client_secret=pair.reveal()[1], api_url=api_url)


def _json_object(value: Sensitive[str]) -> Sensitive[dict[str, Any]] | None:
    """What begins with a brace is an object, if it is JSON at all."""
    try:
        return Sensitive(json.loads(value.reveal()))
    except (ValueError, RecursionError):
        return None


def _is_encoded_pair(value: Sensitive[str]) -> bool:
    try:
        return b":" in base64.b64decode(value.reveal(), validate=True)
    except (binascii.Error, ValueError):
        return False
