"""What the simulated Talend Cloud answers when nothing is wrong: the token endpoint, and the API for consumers."""

import base64
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from talend_simulator.messages import Request, Response, json_response
from talend_simulator.tokens import MANAGE_USERS, USE_ENGINES, Account, Tokens, fingerprint

TOKEN_PATH = "/security/oauth/token"
# Talend Cloud APIs user guide: "The token lives 30 minutes".
TOKEN_LIFE_SECONDS = 1800
# The start of a path, and the permission that it needs.
PERMISSIONS = {"/account/users": MANAGE_USERS, "/orchestration/": USE_ENGINES}


@dataclass(slots=True)
class Settings:
    """Each may be assigned at any time and holds from the next request on.

    - `speed`: from 1 to 1800. Shortens the validity of tokens: at 60 a token is valid for 30 seconds, and says so.
    - `clock_error_seconds`: how wrong the server's clock is. Shifts `iat` and `exp`, but not the validity.
    - `revoke_on_issue`: a new token revokes the account's earlier ones.
    - `requests_per_minute`: 0 has the API answer each request with a 429. None is no limit.
    - `api_seconds`: how long the API holds a request before it looks at it, unless it is released before.
    """

    speed: float = 1
    clock_error_seconds: int = 0
    revoke_on_issue: bool = False
    requests_per_minute: Literal[0] | None = None
    api_seconds: float = 0

    def change(self, changes: dict[str, Any]) -> None:
        """Assign several by name."""
        for name, value in changes.items():
            setattr(self, name, value)


@dataclass(frozen=True)
class Endpoints:
    """The accounts, their tokens, and the answers to requests."""

    url: str
    accounts: dict[str, Account]
    tokens: Tokens
    settings: Settings

    def client_id_of(self, request: Request) -> str | None:
        """Return the ID in the request if it is an account's; anything else there may be a secret."""
        client_id, _ = _basic_credentials(request)
        return client_id if client_id in self.accounts else None

    def issue_token(self, request: Request, *, same_token_again: bool = False) -> Response:
        """Answer `POST /security/oauth/token` (Talend's OAuth API reference, 2021-03).

        With `same_token_again`, that is the account's last token while it has not expired. The bodies of errors are not
        documented, so these are plausible and not a contract.
        """
        client_id, client_secret = _basic_credentials(request)
        account = self.accounts.get(client_id)
        if account is None or account.client_secret != client_secret:
            return _error(401, "access_denied", "The ClientId or Secret is missing or invalid")
        if json.loads(request.body) != {"audience": self.url, "grant_type": "client_credentials"}:
            return _error(400, "invalid_request", "Unsupported grant_type or unknown audience")
        token = self.tokens.last(client_id) if same_token_again else None
        if token:
            life_seconds = int(self.tokens.remaining_seconds(token))
        else:
            life_seconds = int(TOKEN_LIFE_SECONDS // self.settings.speed)
            token = self.tokens.issue(
                account,
                life_seconds,
                clock_error_seconds=self.settings.clock_error_seconds,
                revoke_earlier=self.settings.revoke_on_issue,
            )
        # As in the documented sample, `expires_in` is a string.
        members = {"access_token": token.access_token, "token_type": "Bearer", "expires_in": str(life_seconds)}
        return json_response(200, members, token_sha256=fingerprint(token.access_token))

    def call_api(self, request: Request) -> Response:
        """Answer 200 to a valid token with the permission, and 401, 403, 404 or 429 as Talend does."""
        access_token = request.authorization("Bearer")
        return replace(self._api(request.path, access_token), token_sha256=fingerprint(access_token))

    def _api(self, path: str, access_token: str) -> Response:
        permission = next((PERMISSIONS[start] for start in PERMISSIONS if path.startswith(start)), None)
        if permission is None:
            return json_response(404, {"status": 404, "message": "Not found"})
        if self.settings.requests_per_minute == 0:
            return json_response(429, {"status": 429, "message": "Too many requests"})
        token = self.tokens.live(access_token)
        if token is None:
            # As documented: an expired token is not told from an invalid one, and there is no `WWW-Authenticate`.
            return json_response(401, {"status": 401, "message": "The access token is invalid or has expired"})
        if permission not in token.permissions:
            return json_response(403, {"status": 403, "message": "The permission is missing"})
        return json_response(200, {"items": [], "total": 0})


def _error(status: int, error: str, description: str) -> Response:
    return json_response(status, {"error": error, "error_description": description})


def _basic_credentials(request: Request) -> tuple[str, str]:
    """Return ID and secret of RFC 7617, split at the first colon; empty strings, which no account has, without any."""
    try:
        pair = base64.b64decode(request.authorization("Basic"), validate=True).decode()
    except ValueError:
        return "", ""
    client_id, _, client_secret = pair.partition(":")
    return client_id, client_secret
