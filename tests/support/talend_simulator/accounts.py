"""The service accounts that the simulated Talend Cloud knows."""

import secrets
import sys
from dataclasses import dataclass, field

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

    The token endpoint answers 403 to an account without permissions. The audit event `secret.minted` [PEP 578]
    announces the secret to the tests that look for leaks.
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
