"""An authorization server that was written by others: oauthlib's, for the client credentials grant (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

from oauthlib.oauth2 import BackendApplicationServer, RequestValidator


class Validator(RequestValidator):  # type: ignore[misc]
    """Knows the clients, each with its secret, and the tokens that were issued and not forgotten."""

    def __init__(self, clients: Mapping[str, str]) -> None:
        super().__init__()
        self.clients = dict(clients)
        self.tokens: set[str] = set()

    def authenticate_client(self, request: Any, *_: Any, **__: Any) -> bool:
        """HTTP Basic (RFC 7617), which RFC 6749 section 2.3.1 has every authorization server understand."""
        scheme, _space, encoded = request.headers.get("Authorization", "").partition(" ")
        client_id, _colon, secret = base64.b64decode(encoded).decode().partition(":")
        request.client = SimpleNamespace(client_id=client_id)
        return scheme == "Basic" and client_id in self.clients and self.clients[client_id] == secret

    def validate_grant_type(self, client_id: str, grant_type: str, *_: Any, **__: Any) -> bool:
        return client_id in self.clients and grant_type == "client_credentials"

    def get_default_scopes(self, *_: Any, **__: Any) -> list[str]:
        return ["api"]

    def validate_scopes(self, *_: Any, **__: Any) -> bool:
        return True

    def save_bearer_token(self, token: Mapping[str, Any], *_: Any, **__: Any) -> None:
        sys.audit("secret.minted", token["access_token"])
        self.tokens.add(token["access_token"])

    def validate_bearer_token(self, token: str, scopes: list[str], request: Any) -> bool:  # noqa: ARG002 (oauthlib's)
        return token in self.tokens


class AuthorizationServer:
    """`url` is its base URL; `statuses` are what the token endpoint has answered, in order."""

    def __init__(self, url: str, clients: Mapping[str, str], expires_in: int) -> None:
        self.url = url
        self.validator = Validator(clients)
        self.statuses: list[int] = []
        self._server = BackendApplicationServer(self.validator, token_expires_in=expires_in)

    def token_response(self, headers: Mapping[str, str], body: bytes) -> tuple[Mapping[str, str], str, int]:
        """What oauthlib answers. Talend takes JSON where RFC 6749 has a form: the members are the same."""
        form = urlencode(json.loads(body))
        given = dict(headers) | {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self._server.create_token_response(f"{self.url}/security/oauth/token", "POST", form, given)
        self.statuses.append(answer[2])
        return answer  # type: ignore[no-any-return]

    def accepts(self, token_type: str, access_token: str) -> bool:
        """Whether a resource server would let a request with this token pass."""
        headers = {"Authorization": f"{token_type} {access_token}"}
        valid, _ = self._server.verify_request(f"{self.url}/anything", "GET", None, headers, ["api"])
        return bool(valid)


@contextmanager
def authorization_server(clients: Mapping[str, str], *, expires_in: int = 1800) -> Iterator[AuthorizationServer]:
    """Serve on a free loopback port. `clients` are secrets by client id; tokens live `expires_in` seconds."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers, text, status = authorization.token_response(dict(self.headers), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        authorization = AuthorizationServer(f"http://127.0.0.1:{server.server_port}", clients, expires_in)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield authorization
        server.shutdown()
    thread.join(5)
