"""Service accounts and their access tokens: what they look like, and which tokens are valid."""

import base64
import hashlib
import hmac
import json
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MANAGE_USERS = "TMC_USER_MANAGEMENT"
USE_ENGINES = "TMC_ENGINE_USE"
# Talend Cloud APIs user guide, "Creating a service account with account/service-accounts".
DOCUMENTED_PERMISSIONS = (
    "TMC_SERVICE_ACCOUNT_MANAGEMENT",
    MANAGE_USERS,
    USE_ENGINES,
    "TMC_ROLE_MANAGEMENT",
    "AUDIT_LOGS_VIEW",
)


@dataclass(frozen=True)
class Account:
    """A service account. ID and secret are random by default: 32 and 64 base64url characters, as seen in the field.

    The audit event `secret.minted` [PEP 578] announces the secret to the tests that look for leaks.
    """

    client_id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)
    permissions: tuple[str, ...] = DOCUMENTED_PERMISSIONS
    name: str = "simulated-service-account"

    def __post_init__(self) -> None:
        sys.audit("secret.minted", self.client_secret)

    @property
    def credentials(self) -> str:
        """`ID:secret`, as an operator stores it in the credentials secret."""
        return f"{self.client_id}:{self.client_secret}"


def fingerprint(access_token: str) -> str:
    """Return the SHA-256 of a token in hex, which names the token wherever it must not be shown."""
    return hashlib.sha256(access_token.encode()).hexdigest()


@dataclass(frozen=True)
class IssuedToken:
    """A token, its permissions, and the moment on the simulator's clock at which it expires."""

    access_token: str = field(repr=False)
    client_id: str
    permissions: tuple[str, ...]
    expires_at: float


class Tokens:
    """Issues, looks up and revokes tokens. A token is valid only at the simulator that issued it, as in a region."""

    def __init__(self, audience: str, clock: Callable[[], float]) -> None:
        self._audience = audience
        self._clock = clock
        self._key = secrets.token_bytes(64)
        self._live: dict[str, IssuedToken] = {}
        self._last: dict[str, IssuedToken] = {}

    def issue(
        self, account: Account, life_seconds: int, *, clock_error_seconds: int, revoke_earlier: bool
    ) -> IssuedToken:
        """Return a new token that is valid for `life_seconds`; its claims are shifted by `clock_error_seconds`."""
        now = self._clock()
        claims = self._claims(account, int(now) + clock_error_seconds, life_seconds)
        access_token = self._signed(claims)
        # Only these parts differ from token to token; see `Account`.
        for part in (claims["jti"], access_token.rpartition(".")[2]):
            sys.audit("secret.minted", part)
        # The claims are whole seconds, rounded down, so they never promise more than the simulator honors.
        token = IssuedToken(access_token, account.client_id, account.permissions, expires_at=now + life_seconds)
        if revoke_earlier:
            self.revoke_all(account.client_id)
        self._live[access_token] = self._last[account.client_id] = token
        return token

    def last(self, client_id: str) -> IssuedToken | None:
        """Return the account's newest token, revoked or not, unless it has expired."""
        return self._unexpired(self._last.get(client_id))

    def live(self, access_token: str) -> IssuedToken | None:
        """Return the token if this simulator issued it and it is neither revoked nor expired."""
        return self._unexpired(self._live.get(access_token))

    def remaining_seconds(self, token: IssuedToken) -> float:
        return token.expires_at - self._clock()

    def revoke(self, access_token: str) -> None:
        self._live.pop(access_token, None)

    def revoke_all(self, client_id: str) -> None:
        """Revoke all tokens of an account."""
        for token in list(self._live.values()):
            if token.client_id == client_id:
                self.revoke(token.access_token)

    def _unexpired(self, token: IssuedToken | None) -> IssuedToken | None:
        return token if token and self.remaining_seconds(token) > 0 else None

    def _claims(self, account: Account, issued_at: int, life_seconds: int) -> dict[str, Any]:
        """Return the claims of the one published sample (Talend/daikon, pull request 993).

        The names of the tenant's and the account's claims are not documented. `jti` is ours, because without it two
        tokens of the same second would be equal.
        """
        return {
            "iss": "https://identity.simulator.invalid/",
            "sub": f"{account.client_id}@clients",
            "aud": self._audience,
            "iat": issued_at,
            "exp": issued_at + life_seconds,
            "azp": account.client_id,
            "gty": "client-credentials",
            "jti": secrets.token_urlsafe(24),
            "tenant_id": "5f0c7c1e-6a0b-4d0e-9f7e-0f3f6f1c2a7d",
            "tenant_name": "simulated.tenant",
            "name": account.name,
            "permissions": list(account.permissions),
        }

    def _signed(self, claims: Mapping[str, Any]) -> str:
        """Return a JWS in compact form (RFC 7515). Talend may choose and change the algorithm; here it is HS512."""
        header = {"alg": "HS512", "typ": "JWT", "kid": fingerprint(self._audience)[:32]}
        parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
        signed = ".".join(map(_base64url, parts))
        return f"{signed}.{_base64url(hmac.digest(self._key, signed.encode(), 'sha512'))}"


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
