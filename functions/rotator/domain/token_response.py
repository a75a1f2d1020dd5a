"""From the token endpoint's answer to a token document: what is checked before a token may be published."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.claims import claims_of, finite_number, numeric_date
from rotator.domain.errors import InvalidTokenResponse
from talend_token.document import Sensitive, TokenDocument, fits_a_header

# Talend's user guide: "This token expires after 30 minutes."
DEFAULT_LIFE_SECONDS = 1800
# More than a day is not a life but another unit, such as milliseconds.
LONGEST_LIFE_SECONDS = 86_400
# Secrets Manager's limit for a secret value [PutSecretValue, SecretString].
_LONGEST_DOCUMENT_BYTES = 65_536
_TALK_TO_TALEND = "Nothing was published. If it goes on, report it to Talend."


@dataclass(frozen=True)
class TokenResponse:
    """An answer with status 200."""

    url: str
    requested_at: float
    """When the request was sent, in seconds since the epoch."""
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class IssuedToken:
    """A token that passed every check, with what seemed odd about it."""

    document: TokenDocument
    warnings: tuple[str, ...] = ()


def read_token_response(response: TokenResponse, *, api_url: str, minimum_life_seconds: int) -> IssuedToken:
    """Check an answer of the token endpoint (RFC 6749 section 5.1) and make the document to publish of it.

    Raises:
        InvalidTokenResponse: not JSON, no usable `access_token`, another `token_type` than Bearer, or too short a life.
    """
    members = _members(response)
    access_token = _access_token(response, members)
    token_type: Sensitive[Any] = Sensitive(members.reveal().get("token_type"))
    # RFC 6749 section 5.1: the value is case-insensitive.
    if not isinstance(token_type.reveal(), str) or token_type.reveal().lower() != "bearer":
        raise _invalid(response, "sent a token whose 'token_type' is not Bearer")
    claims = claims_of(access_token)
    life = _life_seconds(members.reveal().get("expires_in"), claims, response.requested_at)
    if life <= minimum_life_seconds:
        raise _invalid(
            response, f"sent a token that lives {life} s, not longer than the minimum of {minimum_life_seconds} s"
        )
    issued_at = math.floor(response.requested_at)
    document = TokenDocument(
        access_token=access_token.reveal(),
        token_type="Bearer",  # noqa: S106 (a type, not a password)
        issued_at=issued_at,
        expires_at=issued_at + life,
        api_url=api_url,
    )
    if len(document.to_json().reveal()) > _LONGEST_DOCUMENT_BYTES:
        raise _invalid(response, "sent a token too long for a secret")
    return IssuedToken(document, _warnings(claims, api_url))


def _members(response: TokenResponse) -> Sensitive[dict[str, Any]]:
    try:
        members = Sensitive(json.loads(response.body))
    except (ValueError, RecursionError):
        members = Sensitive(None)
    # Raised here and not in the handler above: a JSONDecodeError carries the whole body, and would travel as context.
    if not isinstance(members.reveal(), dict):
        raise _invalid(response, "answered with something that is not a JSON object")
    return members


def _access_token(response: TokenResponse, members: Sensitive[dict[str, Any]]) -> Sensitive[str]:
    access_token: Sensitive[Any] = Sensitive(members.reveal().get("access_token"))
    if not isinstance(access_token.reveal(), str) or not access_token.reveal():
        raise _invalid(response, "sent no 'access_token', or one that is not a string")
    if not fits_a_header(access_token.reveal()):
        raise _invalid(response, "sent an 'access_token' with characters that no header may hold")
    return access_token


def _life_seconds(expires_in: Any, claims: Sensitive[dict[str, Any]], requested_at: float) -> int:
    """The shortest life that the answer gives, in whole seconds, by its own clock where it can be had."""
    lives = []
    # A number, or a string of one as in Talend's reference ("3600").
    granted = finite_number(expires_in)
    if granted is not None and granted <= LONGEST_LIFE_SECONDS:
        lives.append(granted)
    expiry, issue = numeric_date(claims, "exp"), numeric_date(claims, "iat")
    if expiry is not None:
        # Against `iat`, both by the server's clock, so that a wrong clock there does no harm.
        claimed = expiry - (issue if issue is not None else requested_at)
        # An `exp` that is not after `iat` says nothing of the token's life.
        if claimed <= LONGEST_LIFE_SECONDS and (issue is None or claimed > 0):
            lives.append(claimed)
    return math.floor(min(lives, default=DEFAULT_LIFE_SECONDS))


def _warnings(claims: Sensitive[dict[str, Any]], api_url: str) -> tuple[str, ...]:
    audience = claims.reveal().get("aud")
    if audience is None or api_url in (entry.rstrip("/") for entry in _strings(audience)):
        return ()
    # Only a warning: a check that may itself be wrong must not cause the outage that it guards against.
    return (f"the token's audience is not {api_url}: its API may answer 401",)


def _strings(audience: Any) -> list[str]:
    # RFC 7519 section 4.1.3: one string, or an array of them.
    return [entry for entry in (audience if isinstance(audience, list) else [audience]) if isinstance(entry, str)]


def _invalid(response: TokenResponse, problem: str) -> InvalidTokenResponse:
    return InvalidTokenResponse(response.url, problem, _TALK_TO_TALEND, status=200)
