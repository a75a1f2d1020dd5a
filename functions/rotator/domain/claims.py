"""Reads a JWT's claims, without verifying its signature: Talend documents neither the issuer nor its keys."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

from talend_token.document import Sensitive


def claims_of(access_token: Sensitive[str]) -> Sensitive[dict[str, Any]]:
    """The claims of a JWT in compact form (RFC 7519 section 3), or an empty dictionary if the token is not one.

    Nothing may be decided on them but how soon to replace the token: whoever can forge claims can also forge
    `expires_in`.
    """
    parts = Sensitive(access_token.reveal().split("."))
    if len(parts.reveal()) != 3:
        return Sensitive({})
    try:
        padding = "=" * (-len(parts.reveal()[1]) % 4)
        claims = Sensitive(json.loads(base64.urlsafe_b64decode(parts.reveal()[1] + padding)))
    except (ValueError, RecursionError):
        return Sensitive({})
    return claims if isinstance(claims.reveal(), dict) else Sensitive({})


def numeric_date(claims: Sensitive[dict[str, Any]], name: str) -> float | None:
    """A NumericDate claim (RFC 7519 section 2): seconds since the epoch, or `None` if it is absent or not a number."""
    value = claims.reveal().get(name)
    return finite_number(value) if isinstance(value, int | float) else None


def finite_number(value: Any) -> float | None:
    """`value` as a number, if it is a finite one or a string of one; JSON's `true` is not."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
