"""The service accounts that the simulated Talend Cloud knows."""

import hmac
import secrets
import sys
import threading
from dataclasses import dataclass, field

MANAGE_SERVICE_ACCOUNTS = "TMC_SERVICE_ACCOUNT_MANAGEMENT"
MANAGE_USERS = "TMC_USER_MANAGEMENT"
USE_ENGINES = "TMC_ENGINE_USE"
# Talend Cloud APIs user guide, "Creating a service account with account/service-accounts".
DOCUMENTED_PERMISSIONS = (
    MANAGE_SERVICE_ACCOUNTS,
    MANAGE_USERS,
    USE_ENGINES,
    "TMC_ROLE_MANAGEMENT",
    "AUDIT_LOGS_VIEW",
)


def many_permissions(count: int) -> tuple[str, ...]:
    """`count` permissions, the documented ones first: the way to a token of a chosen size (about 33 bytes each)."""
    made_up = (f"SIMULATED_RIGHT_{number:06}" for number in range(len(DOCUMENTED_PERMISSIONS), count))
    return (*DOCUMENTED_PERMISSIONS[:count], *made_up)


def _new_id() -> str:
    return secrets.token_urlsafe(24)


def _new_secret() -> str:
    return secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Account:
    """A service account. ID and secret are random by default: 32 and 64 base64url characters, as seen in the field.

    An account without permissions is known to the token endpoint and gets 403 from it. Whoever looks for leaks learns
    of its secret by the audit event `secret.minted` [PEP 578].
    """

    client_id: str = field(default_factory=_new_id)
    client_secret: str = field(default_factory=_new_secret, repr=False)
    permissions: tuple[str, ...] = DOCUMENTED_PERMISSIONS
    name: str = "simulated-service-account"

    def __post_init__(self) -> None:
        if not self.client_id or ":" in self.client_id:
            # RFC 7617 section 2: the ID ends at the first colon.
            raise ValueError("an account's ID must not be empty or hold a colon")
        if not self.client_secret:
            raise ValueError("an account's secret must not be empty")
        sys.audit("secret.minted", self.client_secret)

    @property
    def credentials(self) -> str:
        """`ID:secret`, what a person stores as the credentials secret."""
        return f"{self.client_id}:{self.client_secret}"

    def has_secret(self, secret: str) -> bool:
        return hmac.compare_digest(self.client_secret.encode(), secret.encode())


class Accounts:
    """Accounts by ID, safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}

    def put(self, account: Account) -> None:
        """Add the account, or replace the one with its ID; tokens issued before keep the permissions of then."""
        with self._lock:
            self._accounts[account.client_id] = account

    def remove(self, client_id: str) -> bool:
        """Forget the account; False if it is not known. Its tokens live on: a signed JWT needs no account."""
        with self._lock:
            return self._accounts.pop(client_id, None) is not None

    def get(self, client_id: str) -> Account | None:
        with self._lock:
            return self._accounts.get(client_id)

    def all(self) -> tuple[Account, ...]:
        with self._lock:
            return tuple(self._accounts.values())
