"""Access tokens: what they look like, and which of them are alive."""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from talend_simulator.accounts import Account

TENANT_ID = "5f0c7c1e-6a0b-4d0e-9f7e-0f3f6f1c2a7d"
TENANT_NAME = "simulated.tenant"


def fingerprint(access_token: str) -> str:
    """The SHA-256 of a token in hex: how a token is named wherever it must not be shown."""
    return hashlib.sha256(access_token.encode()).hexdigest()


@dataclass(frozen=True)
class IssuedToken:
    """A token, what it may do, and the moment on the simulator's clock at which it stops working."""

    access_token: str = field(repr=False)
    sha256: str
    client_id: str
    permissions: frozenset[str]
    expires_at: float


class Tokens:
    """Issues, looks up and revokes tokens, safe to use from several threads.

    A token works only at the simulator that issued it, like one of another region.
    """

    def __init__(self, audience: str, clock: Callable[[], float]) -> None:
        self._audience = audience
        self._clock = clock
        self._key = secrets.token_bytes(64)
        self._lock = threading.Lock()
        self._live: dict[str, IssuedToken] = {}
        self._last: dict[str, IssuedToken] = {}

    def issue(
        self, account: Account, life_seconds: int, *, clock_error_seconds: int, revoke_earlier: bool
    ) -> IssuedToken:
        """A new token that works for `life_seconds` from now; its claims are shifted by `clock_error_seconds`."""
        now = self._clock()
        claims = self._claims(account, int(now) + clock_error_seconds, life_seconds)
        access_token = self._signed(claims)
        # What is not the same in every token; see `talend_simulator.Account`.
        for part in (claims["jti"], access_token.rpartition(".")[2]):
            sys.audit("secret.minted", part)
        token = IssuedToken(
            access_token,
            fingerprint(access_token),
            account.client_id,
            frozenset(account.permissions),
            # The claims are whole seconds, rounded down: what they promise is never more than what is honoured.
            now + life_seconds,
        )
        with self._lock:
            self._live = {
                sha256: earlier
                for sha256, earlier in self._live.items()
                if earlier.expires_at > now and not (revoke_earlier and earlier.client_id == account.client_id)
            }
            self._live[token.sha256] = token
            self._last[account.client_id] = token
        return token

    def last(self, client_id: str) -> IssuedToken | None:
        """The account's newest token, revoked or not, unless it has expired."""
        with self._lock:
            token = self._last.get(client_id)
        return token if token and self.remaining_seconds(token) > 0 else None

    def live(self, access_token: str) -> IssuedToken | None:
        """The token if this simulator issued it and it is neither revoked nor expired."""
        with self._lock:
            token = self._live.get(fingerprint(access_token))
        return token if token and self.remaining_seconds(token) > 0 else None

    def remaining_seconds(self, token: IssuedToken) -> float:
        return token.expires_at - self._clock()

    def revoke(self, token_sha256: str) -> bool:
        """End the token with this fingerprint; False if none is alive."""
        with self._lock:
            return self._live.pop(token_sha256, None) is not None

    def revoke_all(self, client_id: str) -> int:
        """End all tokens of an account; the number of those that were alive."""
        with self._lock:
            revoked = [sha256 for sha256, token in self._live.items() if token.client_id == client_id]
            for sha256 in revoked:
                del self._live[sha256]
        return len(revoked)

    def _claims(self, account: Account, issued_at: int, life_seconds: int) -> dict[str, Any]:
        """The claims of the one published sample (Talend/daikon, pull request 993).

        The names of the tenant's and the account's claims are not documented. `jti` is ours: without it two tokens of
        the same second would be one.
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
            "tenant_id": TENANT_ID,
            "tenant_name": TENANT_NAME,
            "name": account.name,
            "permissions": list(account.permissions),
        }

    def _signed(self, claims: Mapping[str, Any]) -> str:
        """A JWS in compact form (RFC 7515). HS512: the algorithm is Talend's to choose and change."""
        header = {"alg": "HS512", "typ": "JWT", "kid": fingerprint(self._audience)[:32]}
        signed = f"{_encoded(header)}.{_encoded(claims)}"
        return f"{signed}.{_base64url(hmac.digest(self._key, signed.encode(), 'sha512'))}"


def _encoded(members: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(members, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
