"""Checks the token endpoint's answer and turns it into a token document."""

from __future__ import annotations

import base64
import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.credentials import Credentials
from rotator.domain.errors import InvalidTokenResponse
from talend_token.document import Sensitive, TokenDocument, fits_a_header, json_object

# Talend's user guide: "This token expires after 30 minutes."
DEFAULT_LIFE_SECONDS = 1800
# An `expires_in` of more than a day is in another unit, such as milliseconds.
LONGEST_LIFE_SECONDS = 86_400
# Publishing takes time, and the token must still be valid afterwards.
_SHORTEST_LIFE_SECONDS = 10
# Secrets Manager's limit for a secret value [PutSecretValue, SecretString], less the version's id.
_LONGEST_DOCUMENT_BYTES = 65_536 - 64
_REPORT_IT = "Nothing was published. If this continues, report it to Talend."


@dataclass(frozen=True)
class TokenResponse:
    """An answer of the token endpoint with status 200."""

    credentials: Credentials
    """The credentials that were sent."""
    requested_at: float
    """When the request was sent, in seconds since the epoch."""
    body: bytes = field(repr=False)


def read_token_response(response: TokenResponse) -> tuple[TokenDocument, str | None]:
    """Return the document to publish (RFC 6749 section 5.1), and a warning if the token's audience is unexpected.

    Raises:
        InvalidTokenResponse: the answer is not JSON or has no usable `access_token`, the `token_type` is not Bearer, or
            the token is not valid for long enough to be published.
    """
    members = json_object(Sensitive(response.body))
    if members is None:
        raise _invalid(response, "sent a body that is not a JSON object")
    access_token = _access_token(response, members)
    token_type: Sensitive[Any] = Sensitive(members.reveal().get("token_type"))
    # RFC 6749 section 5.1: the value is case-insensitive.
    if not isinstance(token_type.reveal(), str) or token_type.reveal().lower() != "bearer":
        raise _invalid(response, "sent a token whose 'token_type' is not Bearer")
    claims = _claims(access_token)
    life = _life_seconds(members.reveal().get("expires_in"), claims, response.requested_at)
    if life <= _SHORTEST_LIFE_SECONDS:
        raise _invalid(
            response, f"sent a token that is valid for {life} s, but more than {_SHORTEST_LIFE_SECONDS} s are needed"
        )
    issued_at = math.floor(response.requested_at)
    document = TokenDocument(
        access_token=access_token.reveal(),
        token_type="Bearer",  # noqa: S106 (a type, not a password)
        issued_at=issued_at,
        expires_at=issued_at + life,
        api_url=response.credentials.api_url,
    )
    if len(document.to_json().reveal()) > _LONGEST_DOCUMENT_BYTES:
        raise _invalid(response, "sent a token that is too long for a secret")
    return document, _audience_warning(claims, document.api_url)


def _access_token(response: TokenResponse, members: Sensitive[dict[str, Any]]) -> Sensitive[str]:
    access_token: Sensitive[Any] = Sensitive(members.reveal().get("access_token"))
    if not isinstance(access_token.reveal(), str) or not access_token.reveal():
        raise _invalid(response, "sent no 'access_token' that is a string")
    if not fits_a_header(access_token.reveal()):
        raise _invalid(response, "sent an 'access_token' with characters that a header cannot hold")
    return access_token


def _claims(access_token: Sensitive[str]) -> Sensitive[dict[str, Any]]:
    """Return the claims of a JWT in compact form (RFC 7519 section 3), or an empty dictionary if the token is not one.

    The signature is not verified, because Talend documents neither the issuer nor its keys. So the claims only decide
    how soon to replace the token, and an attacker who can forge claims can forge `expires_in` too.
    """
    parts = Sensitive(access_token.reveal().split("."))
    if len(parts.reveal()) == 3:
        with suppress(ValueError):
            padding = "=" * (-len(parts.reveal()[1]) % 4)
            payload = Sensitive(base64.urlsafe_b64decode(parts.reveal()[1] + padding))
            return json_object(payload) or Sensitive({})
    return Sensitive({})


def _life_seconds(expires_in: Any, claims: Sensitive[dict[str, Any]], requested_at: float) -> int:
    """Return for how many whole seconds the token is valid: the shortest time that the answer and the claims give."""
    lives = []
    granted = _number(expires_in)
    if granted is not None and granted <= LONGEST_LIFE_SECONDS:
        lives.append(granted)
    # NumericDate claims are seconds since the epoch (RFC 7519 section 2).
    expiry, issue = _number(claims.reveal().get("exp")), _number(claims.reveal().get("iat"))
    if expiry is not None:
        # Both claims come from the server's clock, so a wrong clock there does no harm.
        claimed = expiry - (issue if issue is not None else requested_at)
        # An `exp` that is not after `iat` does not show how long the token is valid.
        if claimed <= LONGEST_LIFE_SECONDS and (issue is None or claimed > 0):
            lives.append(claimed)
    return math.floor(min(lives, default=DEFAULT_LIFE_SECONDS))


def _number(value: Any) -> float | None:
    """Return `value` if it is a finite number, or a string of one, as in Talend's reference ("3600"); else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _audience_warning(claims: Sensitive[dict[str, Any]], api_url: str) -> str | None:
    audience = claims.reveal().get("aud")
    # RFC 7519 section 4.1.3: one string, or an array of them.
    entries = audience if isinstance(audience, list) else [audience]
    if audience is None or any(isinstance(entry, str) and entry.rstrip("/") == api_url for entry in entries):
        return None
    # Only a warning: a check that may itself be wrong must not cause the outage that it guards against.
    return f"the token's audience is not {api_url}, so that API may answer 401"


def _invalid(response: TokenResponse, problem: str) -> InvalidTokenResponse:
    credentials = response.credentials
    return InvalidTokenResponse(credentials.token_endpoint, credentials.secret_id, problem, _REPORT_IT, status=200)
