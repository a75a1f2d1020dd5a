"""What the simulated Talend Cloud answers when nothing is wrong: the token endpoint, and the API for consumers."""

import base64
import binascii
import itertools
import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from talend_simulator.accounts import MANAGE_USERS, USE_ENGINES, Account
from talend_simulator.messages import Request, Response, json_response
from talend_simulator.tokens import Tokens, fingerprint

TOKEN_PATH = "/security/oauth/token"
# Talend Cloud APIs user guide: "The token lives 30 minutes".
TOKEN_LIFE_SECONDS = 1800
# The start of a path, and the permission that it needs.
PERMISSIONS = {"/account/users": MANAGE_USERS, "/orchestration/": USE_ENGINES}
_INVALID_TOKEN = "The access token is invalid or has expired"
# The documented shapes. None tells an expired token from an invalid one, and none has `WWW-Authenticate`.
_UNAUTHORIZED = (
    json_response(401, {"status": 401, "message": _INVALID_TOKEN}),
    json_response(401, {"status": 401, "detail": _INVALID_TOKEN}),
    Response(401),
)


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


class TokenEndpoint:
    """`POST /security/oauth/token` (Talend's OAuth API reference, 2021-03).

    The bodies of its errors are not documented, so these are plausible and not a contract.
    """

    def __init__(self, audience: str, accounts: dict[str, Account], tokens: Tokens, settings: Settings) -> None:
        self._audience = audience
        self._accounts = accounts
        self._tokens = tokens
        self._settings = settings

    def client_id_of(self, request: Request) -> str | None:
        """Return the ID in the request if it is an account's; anything else there may be a secret."""
        client_id, _ = _basic_credentials(request)
        return client_id if client_id in self._accounts else None

    def answer(self, request: Request, *, same_token_again: bool = False) -> Response:
        """Answer a token request; with `same_token_again` by the account's last token while it has not expired."""
        if request.method != "POST":
            return _error(405, "method_not_allowed", "Use POST")
        if request.headers.get("Content-Type") != "application/json":
            return _error(415, "unsupported_media_type", "The body is not JSON")
        client_id, client_secret = _basic_credentials(request)
        account = self._accounts.get(client_id)
        if account is None or account.client_secret != client_secret:
            return _error(401, "access_denied", "The ClientId or Secret is missing or invalid")
        if json.loads(request.body) != {"audience": self._audience, "grant_type": "client_credentials"}:
            return _error(400, "invalid_request", "Unsupported grant_type or unknown audience")
        if not account.permissions:
            return _error(403, "forbidden", "The service account does not have the required permissions")
        token = self._tokens.last(client_id) if same_token_again else None
        if token:
            life_seconds = int(self._tokens.remaining_seconds(token))
        else:
            life_seconds = int(TOKEN_LIFE_SECONDS // self._settings.speed)
            token = self._tokens.issue(
                account,
                life_seconds,
                clock_error_seconds=self._settings.clock_error_seconds,
                revoke_earlier=self._settings.revoke_on_issue,
            )
        # As in the documented sample, `expires_in` is a string.
        members = {"access_token": token.access_token, "token_type": "Bearer", "expires_in": str(life_seconds)}
        return json_response(200, members, token_sha256=token.sha256)


def _error(status: int, error: str, description: str) -> Response:
    return json_response(status, {"error": error, "error_description": description})


def _basic_credentials(request: Request) -> tuple[str, str]:
    """Return ID and secret of RFC 7617, split at the first colon; empty strings, which no account has, without any."""
    try:
        pair = base64.b64decode(request.authorization("Basic"), validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    client_id, _, client_secret = pair.partition(":")
    return client_id, client_secret


class Api:
    """Answers 200 to a valid token with the permission, and 401, 403, 404 or 429 as Talend does."""

    def __init__(self, tokens: Tokens, settings: Settings) -> None:
        self._tokens = tokens
        self._settings = settings
        self._unauthorized = itertools.cycle(_UNAUTHORIZED)

    def answer(self, request: Request) -> Response:
        access_token = request.authorization("Bearer")
        return replace(self._answer(request.path, access_token), token_sha256=fingerprint(access_token))

    def _answer(self, path: str, access_token: str) -> Response:
        permission = next((PERMISSIONS[start] for start in PERMISSIONS if path.startswith(start)), None)
        if permission is None:
            return json_response(404, {"status": 404, "message": "Not found"})
        if self._settings.requests_per_minute == 0:
            return json_response(429, {"status": 429, "message": "Too many requests"})
        token = self._tokens.live(access_token)
        if token is None:
            return next(self._unauthorized)
        if permission not in token.permissions:
            return json_response(403, {"status": 403, "message": "The permission is missing"})
        return json_response(200, {"items": [], "total": 0})
