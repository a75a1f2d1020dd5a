"""A token as a token secret holds it."""

from __future__ import annotations

from dataclasses import dataclass

from talend_token.document import TokenDocument


@dataclass(frozen=True)
class StoredToken:
    """What a token secret holds under one staging label. Without arguments: nothing."""

    version_id: str = ""
    stages: frozenset[str] = frozenset()
    document: TokenDocument | None = None
    """None if there is none, or if `problem` says why it cannot be read."""
    created_at: float = 0
    """When that version was created, in seconds since the epoch."""
    problem: str | None = None
