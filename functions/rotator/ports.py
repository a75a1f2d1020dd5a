"""The interfaces through which the service uses AWS and Talend."""

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
    """One version of a secret, read by its staging label."""

    version_id: str
    stages: frozenset[str]
    text: Sensitive[str] | None = field(repr=False)
    """The secret's string; `None` if the value is binary."""
    created_at: float
    """When the version was created, in seconds since the epoch."""


@dataclass(frozen=True)
class SecretDescription:
    """A secret's KMS key and replicas."""

    key: str = "the AWS managed key aws/secretsmanager"
    """The KMS key that encrypts the secret, as `DescribeSecret` names it."""
    replicas: Mapping[str, str] = field(default_factory=dict)
    """The status of each replica by Region, with the reason if replication failed."""


class SecretStore(Protocol):
    """The part of AWS Secrets Manager that a rotation needs. Every method may raise `SecretStoreError`."""

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        """Return the version with the label `stage`, or None if the secret has no such version."""

    def created(self, secret_id: str) -> list[float]:
        """Return the creation times of all versions that Secrets Manager still has, in seconds since the epoch."""

    def describe(self, secret_id: str) -> SecretDescription:
        """Return the secret's KMS key and replicas."""

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> frozenset[str]:
        """Store a new version with the label AWSPENDING, and return its labels.

        Repeating the call does nothing. A different text for an existing version is refused with
        ResourceExistsException. The first version of a secret also gets AWSCURRENT.
        """

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        """Move AWSCURRENT from the version `replaced` to `version_id`; return False if another run has moved it."""


class Lock(Protocol):
    """The lock that both functions share, so that only one run at a time replaces a version."""

    def acquire(self, invocation: Invocation, version_id: str) -> Result | None:
        """Lock a version, or return `superseded` if another run has just replaced that version.

        If a run crashes, the version stays locked until Lambda would have stopped that run.

        Raises:
            ReplacementInProgress: another run holds the lock.
            LockUnavailable: the lock table failed.
        """

    def release(self, invocation: Invocation, version_id: str, result: Result | None) -> None:
        """Release the lock. If `result` is a replacement, remember it for a while; it is None if the run failed."""


class CircuitBreaker(Protocol):
    """Blocks calls to a token endpoint that has just refused the credentials or returned an unusable token."""

    def call[T](self, circuit: str, secret_id: str, request: Callable[[], T]) -> T:
        """Call `request` and return its result.

        Raises:
            CircuitOpen: an earlier call has just raised `CredentialsRefused`, `RejectedTokenAgain` or
                `TokenRejectedByProbe`. The message names `secret_id`.
        """

    def close(self, circuit: str) -> None:
        """Let calls through again after a refusal."""


class TokenEndpoint(Protocol):
    """The authorization server."""

    def request_token(self, credentials: Credentials, deadline: float) -> TokenResponse:
        """Request a new token, in a few attempts at most and before `deadline` (seconds since the epoch).

        Raises:
            CredentialsRefused, TokenUnavailable, InvalidTokenResponse.
        """


class Verdict(Enum):
    """What a probe shows about a new token."""

    ACCEPTED = auto()
    """The API answered 2xx, or 403, which means that it knows the token but the account lacks a permission."""
    REJECTED = auto()
    """The API answered 401."""
    UNKNOWN = auto()
    """Any other answer, or none, which does not show whether the token is valid."""


@dataclass(frozen=True)
class Probed:
    """The result of a probe. `detail` describes the request and its answer in one line."""

    verdict: Verdict
    url: str
    detail: str


class Probe(Protocol):
    """Tries a token on the API that it is for."""

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:
        """Send one GET request with the token to `path` of its API, and wait until `deadline` at most. Never raises."""
