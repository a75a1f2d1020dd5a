"""The settings of the simulated Talend Cloud, which may be changed while it runs."""

from dataclasses import dataclass
from typing import Any, Literal

# Talend Cloud APIs user guide: "The token lives 30 minutes".
TOKEN_LIFE_SECONDS = 1800

ExpiresIn = Literal["string", "number", "absent", "nonsense"]
Unauthorized = Literal["message", "detail", "empty", "rotating"]


@dataclass(slots=True)
class Settings:
    """Each may be assigned at any time and holds from the next request on.

    - `speed`: from 1 to 1800. Shortens the validity of tokens: at 60 a token is valid for 30 seconds, and says so.
    - `clock_error_seconds`: how wrong the server's clock is. Shifts `iat` and `exp`, but not the validity.
    - `expires_in`: the form of that member. A string is the documented one.
    - `revoke_on_issue`: a new token revokes the account's earlier ones.
    - `unauthorized`: the shape of the API's 401. All three are documented, so they take turns by default.
    - `requests_per_minute`: the API's limit for one source address. None is no limit.
    - `api_seconds`: how long the API holds a request before it looks at it, unless it is released before.
    """

    speed: float = 1
    clock_error_seconds: int = 0
    expires_in: ExpiresIn = "string"
    revoke_on_issue: bool = False
    unauthorized: Unauthorized = "rotating"
    requests_per_minute: int | None = None
    api_seconds: float = 0

    @property
    def life_seconds(self) -> int:
        """The validity of a token issued now: whole seconds, rounded down."""
        return int(TOKEN_LIFE_SECONDS // self.speed)

    def change(self, changes: dict[str, Any]) -> None:
        """Assign several by name."""
        for name, value in changes.items():
            setattr(self, name, value)
