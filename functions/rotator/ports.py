"""What the core asks of the outside world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from rotator.domain.credentials import Credentials
from rotator.domain.result import Result
from rotator.domain.token_response import TokenResponse
from talend_token.document import Sensitive, TokenDocument

# How long the event about a publication may take.
EVENT_SECONDS = 4


@dataclass(frozen=True)
class SecretVersion:
    """One version of a secret, as read by a staging label."""

    version_id: str
    stages: frozenset[str]
    text: Sensitive[str] | None = field(repr=False)
    """The secret's string; `None` if the value is binary."""
    arn: str
    """The secret's."""
    created_at: float | None = None
    """When it was made, in seconds since the epoch; None if that was not said."""


class SecretStore(Protocol):
    """AWS Secrets Manager, as far as a rotation needs it. Every method may raise `SecretStoreError`."""

    def read(self, secret_id: str, stage: str) -> SecretVersion | None:
        """The version that holds the label `stage`; `None` if the secret has no such version."""

    def created(self, secret_id: str) -> list[float]:
        """When each version was made that Secrets Manager still has, in seconds since the epoch."""

    def key(self, secret_id: str) -> str | None:
        """The KMS key that encrypts the secret, as it was named; `None` for the account's `aws/secretsmanager`."""

    def stage(self, secret_id: str, version_id: str, text: Sensitive[str]) -> SecretVersion:
        """Store a new version with the label AWSPENDING. Repeating it does nothing; another text for a version that
        exists is refused with ResourceExistsException. The first version of a secret also gets AWSCURRENT."""

    def promote(self, secret_id: str, version_id: str, replaced: str | None) -> bool:
        """Move AWSCURRENT from the version `replaced` to `version_id`; False if another version holds it by now."""


class SingleFlight(Protocol):
    """The lock that both functions share: one replacement of a version at a time."""

    def once(self, account: str, version_id: str, ends_at: float, replace: Callable[[], Result]) -> tuple[Result, bool]:
        """Call `replace`, unless another run is at that version or was a moment ago.

        Returns its result and True, or the other run's and False if that has replaced the version. A run that dies
        blocks the version until `ends_at` at the most. What `replace` raises is raised, and blocks nobody.

        Raises `ReplacementInProgress`, or `LockUnavailable` before `replace` was called.
        """


class CircuitBreaker(Protocol):
    """Keeps callers from a token endpoint that has just refused for good, or handed out a token of no use."""

    def call[T](self, circuit: str, api_url: str, ask: Callable[[], T]) -> T:
        """Call `ask`, unless it raised `TokenRefused`, `RejectedTokenAgain` or `TokenRejectedByProbe` a moment ago:
        `CircuitOpen` then."""

    def close(self, circuit: str) -> None:
        """Forget a refusal."""


class Verdict(Enum):
    """What a request with a new token says of it."""

    ACCEPTED = auto()
    """The API knows the token: 2xx, or 403 for what the account may not see."""
    REFUSED = auto()
    """401."""
    UNKNOWN = auto()
    """Anything else says nothing of the token."""


@dataclass(frozen=True)
class Probed:
    """The answer to a probe: `detail` says what was asked and answered, in one line."""

    verdict: Verdict
    url: str
    detail: str


class Probe(Protocol):
    """The API that a token is for."""

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:
        """Send one GET with the token to `path` under its API, and wait until `deadline` at the most. Never raises."""


class EventBus(Protocol):
    """Who else wants to know."""

    def rotated(self, result: Result) -> None:
        """Tell that a token was published, in `EVENT_SECONDS` at the most. Raises `EventNotSent`."""


class TokenEndpoint(Protocol):
    """The authorization server."""

    def request_token(self, credentials: Credentials, api_url: str, deadline: float) -> TokenResponse:
        """Ask for a new token, with a few attempts until `deadline` (seconds since the epoch).

        Raises `TokenRefused`, `TokenUnavailable` or `InvalidTokenResponse`.
        """
