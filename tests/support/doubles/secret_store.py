"""Secrets Manager's versions and staging labels, in memory, with the quota of 100 versions in 24 hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rotator.domain.errors import SecretStoreError
from rotator.ports import SecretDescription, SecretVersion
from talend_token.document import Sensitive, TokenDocument


@dataclass
class _Secret:
    versions: dict[str, Sensitive[str] | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    created: list[tuple[str, float]] = field(default_factory=list)


class InMemorySecretStore:
    """Holds secrets as `rotator.ports.SecretStore` describes them.

    `calls` lists every operation. `fail_on` maps an operation to the error code that it fails with, and `before` maps
    one to something that happens just before it, such as another run. `stale` maps a secret to an eventually
    consistent answer of its reads.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secrets: dict[str, _Secret] = {}
        self.calls: list[str] = []
        self.fail_on: dict[str, str] = {}
        self.before: dict[str, Callable[[], object]] = {}
        self.stale: dict[str, SecretVersion] = {}
        self.descriptions: dict[str, SecretDescription] = {}

    def create(self, secret_id: str) -> None:
        self._secrets[secret_id] = _Secret()

    def put(self, secret_id: str, text: str | None, version_id: str = "v-by-hand") -> None:
        """Make `text` (None: something binary) the current version, as an operator does."""
        secret = self._secrets.setdefault(secret_id, _Secret())
        secret.versions[version_id] = None if text is None else Sensitive(text)
        secret.created.append((version_id, self._clock()))
        self._make_current(secret, version_id)

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        secret = self._call("read", secret_id)
        if secret_id in self.stale:
            return self.stale[secret_id]
        return self._version(secret_id, secret.labels[stage]) if stage in secret.labels else None

    def describe(self, secret_id: str) -> SecretDescription:
        self._call("describe", secret_id)
        return self.descriptions.get(secret_id, SecretDescription())

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> frozenset[str]:
        secret = self._call("stage", secret_id)
        stored = secret.versions.get(version_id)
        if stored and stored.reveal() == text.reveal():
            return self._version(secret_id, version_id).stages
        if version_id in secret.versions:
            raise SecretStoreError("stage", secret_id, "ResourceExistsException", "Use another.")
        # A version that holds no label is gone after a day.
        labelled, day_ago = secret.labels.values(), self._clock() - 86_400
        secret.created = [made for made in secret.created if made[1] > day_ago or made[0] in labelled]
        if sum(moment > day_ago for _, moment in secret.created) >= 100:
            raise SecretStoreError("stage", secret_id, "LimitExceededException", "Wait.")
        secret.created.append((version_id, self._clock()))
        secret.versions[version_id] = text
        secret.labels["AWSPENDING"] = version_id
        secret.labels.setdefault("AWSCURRENT", version_id)
        return self._version(secret_id, version_id).stages

    def created(self, secret_id: str) -> list[float]:
        return [moment for _, moment in self._call("created", secret_id).created]

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        secret = self._call("promote", secret_id)
        if version_id not in secret.versions:
            raise SecretStoreError("promote", secret_id, "ResourceNotFoundException", "Stage it.")
        if secret.labels.get("AWSCURRENT") != replaced:
            return False
        self._make_current(secret, version_id)
        return True

    def _make_current(self, secret: _Secret, version_id: str) -> None:
        # "Secrets Manager also moves AWSPREVIOUS to the version that AWSCURRENT was removed from."
        current = secret.labels.get("AWSCURRENT", version_id)
        if current != version_id:
            secret.labels["AWSPREVIOUS"] = current
        secret.labels["AWSCURRENT"] = version_id

    def label(self, secret_id: str, stage: str) -> str | None:
        return self._secrets[secret_id].labels.get(stage)

    def document(self, secret_id: str, stage: str = "AWSCURRENT") -> TokenDocument:
        secret = self._secrets[secret_id]
        text = secret.versions[secret.labels[stage]]
        assert text is not None
        return TokenDocument.from_json(text)

    def versions(self, secret_id: str) -> int:
        return len(self._secrets[secret_id].versions)

    def _call(self, operation: str, secret_id: str) -> _Secret:
        self.calls.append(operation)
        self.before.pop(operation, lambda: None)()
        if operation in self.fail_on:
            raise SecretStoreError(operation, secret_id, self.fail_on[operation], "Fix it.")
        if secret_id not in self._secrets:
            raise SecretStoreError(operation, secret_id, "ResourceNotFoundException", "Create it.")
        return self._secrets[secret_id]

    def _version(self, secret_id: str, version_id: str) -> SecretVersion:
        secret = self._secrets[secret_id]
        stages = frozenset(stage for stage, holder in secret.labels.items() if holder == version_id)
        text, created_at = secret.versions[version_id], dict(secret.created)[version_id]
        return SecretVersion(version_id, stages, text, created_at)
