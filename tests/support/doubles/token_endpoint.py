"""A token endpoint and an API that answer as scripted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from doubles.marked import marked
from rotator.domain.credentials import Credentials
from rotator.domain.errors import TokenEndpointError
from rotator.domain.token_response import TokenResponse
from rotator.ports import Probed, Verdict
from talend_token.document import TokenDocument


def jwt(**claims: Any) -> str:
    """Return an unsigned token with these claims, in the compact form of a JWT."""
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, marked("signature")])


def access_token(number: int) -> str:
    """Return the opaque token that the scripted endpoint issues as its `number`th, from 1."""
    return f"opaque-{number}-{marked('opaque token')}"


class ScriptedTokenEndpoint:
    """Issues `access_token(1)`, `access_token(2)`, ... valid for `expires_in` seconds, unless an answer is queued.

    An answer is a body (any JSON value) or an error to raise. `calls` lists what was asked for.
    """

    def __init__(self, clock: Callable[[], float], expires_in: Any = "1800") -> None:
        self._clock = clock
        self._expires_in = expires_in
        self.calls: list[tuple[Credentials, float]] = []
        self.answers: list[Any] = []

    def request_token(self, credentials: Credentials, deadline: float) -> TokenResponse:
        self.calls.append((credentials, deadline))
        token = access_token(len(self.calls))
        body = {"access_token": token, "token_type": "Bearer", "expires_in": self._expires_in}
        answer = self.answers.pop(0) if self.answers else body
        if isinstance(answer, TokenEndpointError):
            raise answer
        return TokenResponse(credentials, self._clock(), json.dumps(answer).encode())


class ScriptedProbe:
    """Accepts every token, unless a verdict is queued. `calls` lists the tokens, paths and deadlines."""

    def __init__(self) -> None:
        self.calls: list[tuple[TokenDocument, str, float]] = []
        self.verdicts: list[Verdict] = []

    def probe(self, document: TokenDocument, path: str, deadline: float) -> Probed:
        self.calls.append((document, path, deadline))
        verdict = self.verdicts.pop(0) if self.verdicts else Verdict.ACCEPTED
        url = f"{document.api_url}{path}"
        return Probed(verdict, url, f"{url} answered as scripted")
