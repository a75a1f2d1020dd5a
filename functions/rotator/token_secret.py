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
        # A token that was published before and lost its place, such as by a roll-back, was not left by anybody.
        if "AWSPREVIOUS" in staged.stages or staged.document is None:
            return None
        return staged

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
            document = TokenDocument.from_json(version.text)
        except InvalidTokenDocument as error:
            warning = f"version {version.version_id} of the token secret is not a token document: {error}"
            return Slot(version.version_id, version.stages, secret_arn=version.arn, warnings=(warning,))
        return Slot(version.version_id, version.stages, document, version.arn)
