"""`POST /security/oauth/token` (Talend's OAuth API reference, 2021-03)."""

import base64
import binascii
from typing import Any

from talend_simulator.accounts import Account, Accounts
from talend_simulator.messages import Request, Response, json_response
from talend_simulator.settings import Settings
from talend_simulator.tokens import IssuedToken, Tokens

TOKEN_PATH = "/security/oauth/token"


class TokenEndpoint:
    """Grants tokens to accounts. The bodies of its errors are not documented: these are plausible and no contract."""

    def __init__(self, audience: str, accounts: Accounts, tokens: Tokens, settings: Settings) -> None:
        self._audience = audience
        self._accounts = accounts
        self._tokens = tokens
        self._settings = settings

    def client_id_of(self, request: Request) -> str | None:
        """The ID in the request if it is an account's, whatever the secret; anything else there may be a secret."""
        account = self._accounts.get(_basic_credentials(request)[0])
        return account.client_id if account else None

    def answer(self, request: Request, *, same_token_again: bool = False) -> Response:
        """The answer to a token request; with `same_token_again` the account's last token while it has not expired."""
        if request.method != "POST":
            return json_response(405, {"error": "method_not_allowed"}, headers={"Allow": "POST"})
        if request.content_type() != "application/json":
            return json_response(415, {"error": "unsupported_media_type"})
        client_id, client_secret = _basic_credentials(request)
        account = self._accounts.get(client_id)
        if account is None or not account.has_secret(client_secret):
            return _error(401, "access_denied", "The ClientId or Secret is missing or invalid")
        problem = self._problem_of_body(request)
        if problem:
            return _error(400, "invalid_request", problem)
        if not account.permissions:
            return _error(403, "forbidden", "The service account does not have the required permissions")
        token = self._tokens.last(account.client_id) if same_token_again else None
        return self._grant(account, token)

    def _problem_of_body(self, request: Request) -> str | None:
        try:
            members = request.json_object()
        except ValueError:
            return "The body is not a JSON object"
        if members.get("grant_type") != "client_credentials":
            return "Unsupported grant_type"
        if members.get("audience") != self._audience:
            return "Unknown audience"
        return None

    def _grant(self, account: Account, token: IssuedToken | None) -> Response:
        if token:
            life_seconds = int(self._tokens.remaining_seconds(token))
        else:
            life_seconds = self._settings.life_seconds
            token = self._tokens.issue(
                account,
                life_seconds,
                clock_error_seconds=self._settings.clock_error_seconds,
                revoke_earlier=self._settings.revoke_on_issue,
            )
        members: dict[str, Any] = {"access_token": token.access_token, "token_type": "Bearer"}
        match self._settings.expires_in:
            case "string":
                members["expires_in"] = str(life_seconds)
            case "number":
                members["expires_in"] = life_seconds
            case "nonsense":
                members["expires_in"] = "half an hour"
        # RFC 6749 section 5.1 requires the header.
        headers = {"Cache-Control": "no-store"}
        return json_response(200, members, headers=headers, token_sha256=token.sha256)


def _error(status: int, error: str, description: str) -> Response:
    return json_response(status, {"error": error, "error_description": description})


def _basic_credentials(request: Request) -> tuple[str, str]:
    """ID and secret of RFC 7617, split at the first colon; empty strings, which no account has, if there are none."""
    encoded = request.authorization("Basic") or ""
    try:
        client_id, _, client_secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return client_id, client_secret
