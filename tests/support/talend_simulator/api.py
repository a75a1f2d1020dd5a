"""The API that consumers call with a token: some paths, the right each needs, and the refusals."""

import itertools
import math
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from talend_simulator.accounts import DOCUMENTED_PERMISSIONS, MANAGE_SERVICE_ACCOUNTS, MANAGE_USERS, USE_ENGINES
from talend_simulator.messages import Request, Response, json_response
from talend_simulator.settings import Settings
from talend_simulator.tokens import Tokens, fingerprint


@dataclass(frozen=True)
class Resource:
    """A path, or all paths under it if it ends with a slash; the permission that it needs and what it answers.

    Which permission opens which path is documented for the service accounts only.
    """

    path: str
    permission: str
    content: Any

    def has(self, path: str) -> bool:
        return path.startswith(self.path) if self.path.endswith("/") else path == self.path


RESOURCES = (
    Resource("/account/service-accounts/permissions", MANAGE_SERVICE_ACCOUNTS, list(DOCUMENTED_PERMISSIONS)),
    Resource("/account/users", MANAGE_USERS, {"items": [], "total": 0}),
    Resource("/orchestration/", USE_ENGINES, {"items": [], "total": 0}),
    Resource("/processing/", USE_ENGINES, {"items": [], "total": 0}),
)

_INVALID_TOKEN = "The access token is invalid or has expired"
# The three that are documented; none tells an expired token from an invalid one, none has `WWW-Authenticate`.
_UNAUTHORIZED = {
    "message": json_response(401, {"status": 401, "message": _INVALID_TOKEN}),
    "detail": json_response(401, {"status": 401, "detail": _INVALID_TOKEN}),
    "empty": Response(401),
}


class RateLimit:
    """Counts requests by source address and minute of the clock, as Talend publishes its limits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._requests: Counter[str] = Counter()

    def exceeded(self, source_address: str, requests_per_minute: int) -> int | None:
        """Count a request; the whole seconds until the next minute if it is one too many, otherwise None."""
        now = self._clock()
        minute = int(now // 60)
        with self._lock:
            if minute != self._minute:
                self._minute = minute
                self._requests.clear()
            self._requests[source_address] += 1
            too_many = self._requests[source_address] > requests_per_minute
        return math.ceil((minute + 1) * 60 - now) if too_many else None


class Api:
    """Answers 200 for a live token with the right, and 401, 403, 404, 405 or 429 as Talend does."""

    def __init__(self, tokens: Tokens, settings: Settings, clock: Callable[[], float]) -> None:
        self._tokens = tokens
        self._settings = settings
        self._rate_limit = RateLimit(clock)
        self._shapes = itertools.cycle(_UNAUTHORIZED.values())
        self._shapes_lock = threading.Lock()

    def answer(self, request: Request) -> Response:
        access_token = request.authorization("Bearer")
        token = self._tokens.live(access_token) if access_token else None
        response = self._answer(request, token.permissions if token else None)
        return replace(
            response,
            client_id=token.client_id if token else None,
            token_sha256=fingerprint(access_token) if access_token else None,
        )

    def _answer(self, request: Request, permissions: frozenset[str] | None) -> Response:
        resource = next((resource for resource in RESOURCES if resource.has(request.path)), None)
        if resource is None:
            return json_response(404, {"status": 404, "message": "Not found"})
        limit = self._settings.requests_per_minute
        reset_seconds = None if limit is None else self._rate_limit.exceeded(request.source_address, limit)
        if reset_seconds is not None:
            return json_response(
                429,
                {"status": 429, "message": "Too many requests"},
                # Named in the identities API reference; that the reset is in seconds from now is not documented.
                headers={
                    "X-RateLimit-Limit": str(limit),
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": str(reset_seconds),
                },
            )
        if permissions is None:
            return self._unauthorized()
        if request.method not in ("GET", "HEAD"):
            return json_response(405, {"status": 405, "message": "Method not allowed"}, headers={"Allow": "GET, HEAD"})
        if resource.permission not in permissions:
            return json_response(403, {"status": 403, "message": "The permission is missing"})
        return json_response(200, resource.content)

    def _unauthorized(self) -> Response:
        if self._settings.unauthorized != "rotating":
            return _UNAUTHORIZED[self._settings.unauthorized]
        with self._shapes_lock:
            return next(self._shapes)
