"""The functions' token request against an independent authorization server: oauthlib's (RFC 6749 section 4.4)."""

import base64
import json
import sys
import time
from types import SimpleNamespace
from urllib.parse import urlencode

from oauthlib.oauth2 import BackendApplicationServer, RequestValidator

from doubles import marked
from integration.handlers import CREDENTIALS, invoke
from talend_simulator.faults import Fault
from talend_simulator.messages import Response

# Basic has to transmit the colon (RFC 7617 section 2).
SECRET = marked("of an independent client") + ":~"


class Validator(RequestValidator):
    """Knows one client, and the tokens that were issued to it."""

    def __init__(self):
        super().__init__()
        self.tokens = set()

    def authenticate_client(self, request, *_, **__):
        """Check HTTP Basic, which every authorization server understands (RFC 6749 section 2.3.1)."""
        scheme, _, encoded = request.headers["Authorization"].partition(" ")
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        request.client = SimpleNamespace(client_id=client_id)
        return (scheme, client_id, secret) == ("Basic", "abc", SECRET)

    def validate_grant_type(self, client_id, grant_type, *_, **__):
        return (client_id, grant_type) == ("abc", "client_credentials")

    def get_default_scopes(self, *_, **__):
        return ["api"]

    def validate_scopes(self, *_, **__):
        return True

    def save_bearer_token(self, token, *_, **__):
        sys.audit("secret.minted", token["access_token"])
        self.tokens.add(token["access_token"])

    def validate_bearer_token(self, token, *_, **__):
        return token in self.tokens


class AuthorizationServer(Fault):
    """Answers in place of the simulator's token endpoint."""

    def __init__(self):
        self._server = BackendApplicationServer(Validator(), token_expires_in=900)

    def answer(self, endpoints, request):  # noqa: ARG002 (a fault's)
        # Talend takes JSON where RFC 6749 has a form with the same members.
        form = urlencode(json.loads(request.body))
        given = dict(request.headers) | {"Content-Type": "application/x-www-form-urlencoded"}
        headers, text, status = self._server.create_token_response(request.path, "POST", form, given)
        return Response(status, text.encode(), headers)

    def accepts(self, token_type, access_token):
        """Return whether a resource server accepts a request with this token."""
        headers = {"Authorization": f"{token_type} {access_token}"}
        return self._server.verify_request("/anything", "GET", None, headers, ["api"])[0]


def test_server_accepts_a_rotated_token(published, talend, secrets):
    server = AuthorizationServer()
    talend.faults.add(server)
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString=f"abc:{SECRET}")
    assert invoke({})["outcome"] == "rotated"
    document = published()
    assert server.accepts(document.token_type, document.access_token)
    assert not server.accepts("Bearer", "another")
    assert 890 < document.remaining_seconds(time.time()) <= 900
