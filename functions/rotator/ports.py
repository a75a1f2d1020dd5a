"""What the core asks of the outside world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from rotator.credentials import Credentials
from rotator.token_response import TokenResponse
from talend_token import Sensitive


@dataclass(frozen=True)
class SecretVersion:
    """One version of a secret, as read by a staging label."""

    version_id: str
    stages: frozenset[str]
    text: Sensitive[str] | None = field(repr=False)
    """The secret's string; `None` if the value is binary."""


class SecretStore(Protocol):
    """AWS Secrets Manager, as far as a rotation needs it. Every method may raise `SecretStoreError`."""

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        """The version that holds the label `stage`; `None` if the secret has no such version."""

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> frozenset[str]:
        """Store a new version with the label AWSPENDING. Repeating it does nothing. Returns the labels it holds now:
        the first version of a secret also gets AWSCURRENT."""

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        """Move AWSCURRENT from the version `replaced` to `version_id`; False if another version holds it by now."""


class TokenEndpoint(Protocol):
    """The authorization server."""

    def request_token(self, credentials: Credentials, api_url: str, deadline: float) -> TokenResponse:
        """Ask for a new token, with a few attempts until `deadline` (seconds since the epoch).

        Raises `TokenRefused`, `TokenUnavailable` or `InvalidTokenResponse`.
        """
