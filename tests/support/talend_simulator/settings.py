"""What can be set of the simulated Talend Cloud while it runs."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

# Talend Cloud APIs user guide: "The token lives 30 minutes".
TOKEN_LIFE_SECONDS = 1800

ExpiresIn = Literal["string", "number", "absent", "nonsense"]
Unauthorized = Literal["message", "detail", "empty", "rotating"]


@dataclass(slots=True)
class Settings:
    """Each may be assigned at any time and holds from the next request on.

    - `speed`: shortens the life that is granted, truthfully: at 60 a token lives 30 seconds, and says so.
    - `clock_error_seconds`: by how much the server's clock is wrong; shifts `iat` and `exp`, not what is honoured.
    - `expires_in`: the form of that member; a string is the documented one.
    - `revoke_on_issue`: a new token ends the account's earlier ones.
    - `unauthorized`: the shape of the API's 401; all three are documented, so they take turns by default.
    - `requests_per_minute`: the API's limit for one source address; None is no limit.
    - `api_seconds`: how long the API takes to look at a request, unless it is released before.
    """

    speed: float = 1
    clock_error_seconds: int = 0
    expires_in: ExpiresIn = "string"
    revoke_on_issue: bool = False
    unauthorized: Unauthorized = "rotating"
    requests_per_minute: int | None = None
    api_seconds: float = 0

    def __post_init__(self) -> None:
        if not _is_number(self.speed) or not 1 <= self.speed <= TOKEN_LIFE_SECONDS:
            raise ValueError(f"speed must be a number from 1 to {TOKEN_LIFE_SECONDS}: a token lives a second or more")
        if not _is_whole(self.clock_error_seconds):
            raise ValueError("clock_error_seconds must be a whole number")
        if self.expires_in not in get_args(ExpiresIn):
            raise ValueError(f"expires_in must be one of {', '.join(get_args(ExpiresIn))}")
        if not isinstance(self.revoke_on_issue, bool):
            raise ValueError("revoke_on_issue must be true or false")
        if self.unauthorized not in get_args(Unauthorized):
            raise ValueError(f"unauthorized must be one of {', '.join(get_args(Unauthorized))}")
        limit = self.requests_per_minute
        if limit is not None and not (_is_whole(limit) and limit >= 0):
            raise ValueError("requests_per_minute must be a whole number, 0 or more, or null")
        if not _is_number(self.api_seconds) or not 0 <= self.api_seconds < math.inf:
            raise ValueError("api_seconds must be a number, 0 or more")

    @property
    def life_seconds(self) -> int:
        """The life of a token issued now: whole seconds, rounded down."""
        return int(TOKEN_LIFE_SECONDS // self.speed)

    def change(self, changes: dict[str, Any]) -> None:
        """Assign several by name, all or none; `ValueError` says what is wrong."""
        unknown = changes.keys() - asdict(self).keys()
        if unknown:
            raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
        checked = replace(self, **changes)
        for name in changes:
            setattr(self, name, getattr(checked, name))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
