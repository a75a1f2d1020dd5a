"""Invented secrets that are recognized wherever they turn up, whole or in pieces."""

from __future__ import annotations

import base64
import hashlib
import sys


def marked(name: str) -> str:
    """Return 43 characters that are always the same for a name and in nothing else, and announce them as a secret."""
    secret = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).rstrip(b"=").decode()
    sys.audit("secret.minted", secret)
    return secret
