"""`token`: prints a valid token."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from talend_token._client import TokenClient
from talend_token._command_line.failure import NO_TOKEN, OK, CommandError
from talend_token.document import Sensitive, TokenDocument
from talend_token.errors import TokenUnavailable

if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

    from talend_token._command_line.place import Place
    from talend_token._command_line.screen import Screen
    from talend_token._sources import Published


def run(options: Namespace, place: Place, screen: Screen, _: Any) -> int:
    """Print the token in the requested form."""
    published = valid_token(place, options.min_remaining)
    forms = {None: _plain, "header": _header, "json": _json, "exec_credential": _exec_credential}
    screen.print(forms[options.form](published).reveal())
    return OK


def valid_token(place: Place, min_remaining: float) -> Published:
    """Return a published token that is valid for more than `min_remaining` seconds.

    Raises:
        CommandError: there is no such token, or it cannot be read.
    """
    try:
        TokenClient(place).get_token(min_remaining)
    except TokenUnavailable as error:
        raise CommandError(str(error), NO_TOKEN) from None
    return place.published


def document(published: Published) -> TokenDocument:
    """Return the token document that was read."""
    token = published.token
    return TokenDocument(
        token.access_token, "Bearer", published.issued_at, token.expires_at, token.api_url, token.version_id
    )


def _plain(published: Published) -> Sensitive[str]:
    return Sensitive(published.token.access_token)


def _header(published: Published) -> Sensitive[str]:
    return Sensitive(f"Authorization: Bearer {published.token.access_token}")


def _json(published: Published) -> Sensitive[str]:
    return document(published).to_json()


def _exec_credential(published: Published) -> Sensitive[str]:
    expires_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(published.token.expires_at))
    return Sensitive(
        json.dumps(
            {
                "apiVersion": "client.authentication.k8s.io/v1",
                "kind": "ExecCredential",
                "status": {"token": published.token.access_token, "expirationTimestamp": expires_at},
            }
        )
    )
