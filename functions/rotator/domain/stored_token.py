"""The value of a token secret under one of its staging labels."""

from __future__ import annotations

from dataclasses import dataclass

from talend_token.document import TokenDocument


@dataclass(frozen=True)
class StoredToken:
    """The version of a token secret that has one staging label. Without arguments, there is no such version."""

    version_id: str = ""
    stages: frozenset[str] = frozenset()
    document: TokenDocument | None = None
    """None if there is no version, or if it is not a token document."""
    created_at: float = 0
    """When the version was created, in seconds since the epoch."""
    problem: str | None = None
    """Why the version is not a token document."""
