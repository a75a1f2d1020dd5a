"""Reads the published token and a staged token from a token secret."""

from __future__ import annotations

from rotator.domain.stored_token import StoredToken
from rotator.ports import SecretStore
from talend_token import InvalidTokenDocument
from talend_token.document import TokenDocument


def read_token(secrets: SecretStore, secret_id: str, stage: str = "AWSCURRENT") -> StoredToken:
    """Return the token that the secret holds under a staging label, by default the published one.

    Raises:
        SecretStoreError: the secret could not be read.
    """
    version = secrets.read(secret_id, stage)
    if version is None:
        return StoredToken()
    document, problem = None, None
    try:
        if version.text is None:
            raise InvalidTokenDocument("binary")
        document = TokenDocument.from_json(version.text)
    except InvalidTokenDocument as error:
        problem = f"version {version.version_id} of secret {secret_id!r} is not a token document: {error}"
    return StoredToken(version.version_id, version.stages, document, version.created_at, problem)


def left_staged(secrets: SecretStore, secret_id: str, published: StoredToken) -> StoredToken | None:
    """Return the token that an interrupted run has staged but not promoted; None if there is none.

    Raises:
        SecretStoreError: the secret could not be read.
    """
    # After a complete run, the published version has both labels.
    if "AWSPENDING" in published.stages:
        return None
    staged = read_token(secrets, secret_id, "AWSPENDING")
    if staged.document is None:
        return None
    # A version older than AWSCURRENT or AWSPREVIOUS was published and then rolled back, not left by an interrupted run.
    newest = max(published.created_at, read_token(secrets, secret_id, "AWSPREVIOUS").created_at)
    return staged if staged.created_at > newest else None
