"""What the service needs of the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from rotator.domain.credentials import Credentials
from rotator.domain.invocation import Invocation
from rotator.domain.result import Result
from rotator.domain.token_response import TokenResponse
from talend_token.document import Sensitive, TokenDocument


@dataclass(frozen=True)
class SecretVersion:
    """One version of a secret, as read by a staging label."""

    version_id: str
    stages: frozenset[str]
    text: Sensitive[str] | None = field(repr=False)
    """The secret's string; `None` if the value is binary."""
    created_at: float
    """When it was created, in seconds since the epoch."""


@dataclass(frozen=True)
class SecretDescription:
    """How a secret is kept, apart from its value."""

    key: str = "the AWS managed key aws/secretsmanager"
    """The KMS key that encrypts it, as it was named."""
    replicas: Mapping[str, str] = field(default_factory=dict)
    """By the Region of each replica: its status, and why if it failed."""


class SecretStore(Protocol):
    """AWS Secrets Manager, as far as a rotation needs it. Every method may raise `SecretStoreError`."""

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        """Return the version that holds the label `stage`; `None` if the secret has no such version."""

    def created(self, secret_id: str) -> list[float]:
        """Return when each version was created that Secrets Manager still has, in seconds since the epoch."""

    def describe(self, secret_id: str) -> SecretDescription:
        """Return how the secret is kept."""

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> frozenset[str]:
        """Store a new version with the label AWSPENDING, and return its labels.

        Repeating it does nothing; another text for a version that exists is refused with ResourceExistsException. The
        first version of a secret also gets AWSCURRENT.
        """

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        """Move AWSCURRENT from the version `replaced` to `version_id`; False if another run has moved it meanwhile."""


class Lock(Protocol):
    """The lock that both functions share: one replacement of a version at a time."""

    def acquire(self, invocation: Invocation, version_id: str) -> Result | None:
        """Take the lock of a version, or return `superseded` if another run has just replaced that version.

        A run that dies blocks the version until its own time is up.

        Raises:
            ReplacementInProgress: another run holds the lock.
            LockUnavailable: the lock table failed.
        """

    def release(self, invocation: Invocation, version_id: str, result: Result | None) -> None:
        """Release the lock, and remember for a while if `result` is a replacement; None for a run that failed."""


class CircuitBreaker(Protocol):
    """Keeps callers from a token endpoint that has just refused for good, or returned an unusable token."""

    def call[T](self, circuit: str, secret_id: str, request: Callable[[], T]) -> T:
        """Call `request`, unless it has just raised `CredentialsRefused`, `RejectedTokenAgain` or
        `TokenRejectedByProbe`: then raise `CircuitOpen`, which names `secret_id`."""

    def close(self, circuit: str) -> None:
        """Forget a refusal."""


class TokenEndpoint(Protocol):
    """The authorization server."""

    def request_token(self, credentials: Credentials, deadline: float) -> TokenResponse:
        """Request a new token, with a few attempts until `deadline` (seconds since the epoch).

        Raises:
            CredentialsRefused, TokenUnavailable, InvalidTokenResponse.
        """


class Verdict(Enum):
    """What the answer to a request with a new token says about it."""

    ACCEPTED = auto()
    """The API knows the token: 2xx, or 403 for what the account may not see."""
    REJECTED = auto()
    """401."""
    UNKNOWN = auto()
    """Anything else says nothing about the token."""


@dataclass(frozen=True)
class Probed:
    """The answer to a probe: `detail` says what was requested and answered, in one line."""

    verdict: Verdict
    url: str
    detail: str


class Probe(Protocol):
    """The API that a token is for."""

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:
        """Send one GET with the token to `path` under its API, and wait until `deadline` at most. Never raises."""
