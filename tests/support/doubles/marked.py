"""Made-up secrets that are recognised wherever they turn up, whole or in pieces."""

from __future__ import annotations

import base64
import hashlib
import sys


def marked(name: str) -> str:
    """43 characters which are always the same for a name, and in nothing else; that they are a secret is announced."""
    secret = base64.urlsafe_b64encode(hashlib.sha256(name.encode()).digest()).rstrip(b"=").decode()
    sys.audit("secret.minted", secret)
    return secret
