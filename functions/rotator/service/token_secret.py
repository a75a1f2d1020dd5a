"""The token secret of one account: what it holds, and how a new token gets there."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.ports import SecretStore
from talend_token import InvalidTokenDocument
from talend_token.document import TokenDocument


@dataclass(frozen=True)
class Slot:
    """What a token secret holds under one staging label; an empty `version_id` stands for nothing."""

    version_id: str = ""
    stages: frozenset[str] = frozenset()
    document: TokenDocument | None = None
    """None if there is none, or what there is cannot be read: then a warning says so."""
    secret_arn: str | None = None
    """The secret's; None if it has no such version."""
    created_at: float = 0
    """When that version was made, in seconds since the epoch, as far as it is known."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TokenSecret:
    """A token secret in a store. Every method may raise `SecretStoreError`."""

    store: SecretStore
    secret_id: str

    def published(self) -> Slot:
        """What readers get."""
        return self._read("AWSCURRENT")

    def left_staged(self, published: Slot) -> Slot | None:
        """A token that an interrupted run has staged and not promoted."""
        # After a complete run both labels are on the published version, and there is nothing to look for.
        if "AWSPENDING" in published.stages:
            return None
        staged = self._read("AWSPENDING")
        if staged.document is None:
            return None
        # A token that was published before and lost its place, by a roll-back or by what a person has put there since,
        # was not left by anybody: what is published now, or was just before, is younger.
        newest = max(published.created_at, self._read("AWSPREVIOUS").created_at)
        return staged if staged.created_at > newest else None

    def stage(self, version_id: str, document: TokenDocument) -> Slot:
        """Store a token beside the published one."""
        version = self.store.stage(self.secret_id, version_id, document.to_json())
        return Slot(version.version_id, version.stages, document, version.arn)

    def promote(self, staged: Slot, published: Slot) -> bool:
        """Publish the staged token in the place of the published one; False if another was faster."""
        # The first version of a secret gets AWSCURRENT by itself [API PutSecretValue].
        if "AWSCURRENT" in staged.stages:
            return True
        return self.store.promote(self.secret_id, staged.version_id, published.version_id or None)

    def created(self) -> list[float]:
        """When each of its versions was made, in seconds since the epoch."""
        return self.store.created(self.secret_id)

    def _read(self, stage: str) -> Slot:
        version = self.store.read(self.secret_id, stage)
        if version is None:
            return Slot()
        try:
            if version.text is None:
                raise InvalidTokenDocument("binary")
            document: TokenDocument | None = TokenDocument.from_json(version.text)
            warnings: tuple[str, ...] = ()
        except InvalidTokenDocument as error:
            warning = f"version {version.version_id} of the token secret is not a token document: {error}"
            document, warnings = None, (warning,)
        return Slot(version.version_id, version.stages, document, version.arn, version.created_at or 0, warnings)
