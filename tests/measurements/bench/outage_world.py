"""A day in virtual time on which a token secret is rotated, and what the tokens come from is down now and then."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from botocore.exceptions import EndpointConnectionError
from requests.adapters import BaseAdapter

from talend_token import Token
from talend_token._sources import Published, Renewal
from talend_token.errors import TokenUnavailable

DAY_SECONDS = 86_400
START = 1_795_478_400
LIFE_SECONDS = 1800
ROTATION_SECONDS = 1500
URL = "https://upstream.invalid"


class Down(Exception):
    """What is asked for a token cannot be reached."""


@dataclass
class World:
    """A token secret that is rotated every 25 minutes, a token endpoint, and outages of both at the same moments."""

    outages: Sequence[tuple[int, int]]
    ends: dict[str, int] = field(default_factory=dict)
    """The expiry of every token."""
    asked: int = 0
    _published: list[tuple[int, str]] = field(default_factory=list)
    _issued: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """Rotate all day; a rotation that falls into an outage is made when it ends."""
        now = START - ROTATION_SECONDS // 2
        while now < START + DAY_SECONDS:
            self._published.append((now, self.issue(now)))
            now = self._up_again(now + ROTATION_SECONDS)

    def _up_again(self, now: int) -> int:
        return next((end for start, end in self.outages if start <= now < end), now)

    def issue(self, now: int) -> str:
        """Make a token; what it is called says nothing."""
        token = f"token-{next(self._issued)}"
        self.ends[token] = now + LIFE_SECONDS
        return token

    def read(self) -> tuple[str, int]:
        """The published token, and when it was issued."""
        self._ask()
        _, token = max(entry for entry in self._published if entry[0] <= time.time())
        return token, self.ends[token] - LIFE_SECONDS

    def fetch(self) -> str:
        """A token of the token endpoint."""
        self._ask()
        return self.issue(int(time.time()))

    def _ask(self) -> None:
        self.asked += 1
        now = int(time.time())
        if self._up_again(now) != now:
            raise Down


class Secrets:
    """The two operations of a boto3 client that readers use."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get_secret_value(self, **_: str) -> dict[str, str]:
        try:
            token, issued_at = self._world.read()
        except Down:
            raise EndpointConnectionError(endpoint_url=URL) from None
        return {"SecretString": json.dumps({"access_token": token, "issued_at": issued_at})}

    def describe_secret(self, **_: str) -> dict[str, Any]:
        try:
            token, _issued_at = self._world.read()
        except Down:
            raise EndpointConnectionError(endpoint_url=URL) from None
        return {"VersionIdsToStages": {token: ["AWSCURRENT"]}}


class Source:
    """A `talend_token._sources.TokenSource`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def read(self) -> Published:
        try:
            name, issued_at = self._world.read()
        except Down:
            raise TokenUnavailable("the secret cannot be read") from None
        token = Token(name, expires_at=issued_at + LIFE_SECONDS, version_id=name, api_url=URL)
        return Published(token, issued_at, answered_at=int(time.time()))

    def renew(self, rejected_version_id: str) -> Renewal:
        raise AssertionError(f"nothing rejects {rejected_version_id} here")


class Endpoint(BaseAdapter):
    """The token endpoint for requests."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        try:
            response._content = json.dumps(token_response(self._world)).encode()
        except Down:
            raise requests.ConnectionError from None
        return response

    def close(self) -> None:
        """Nothing is open."""


def token_response(world: World) -> dict[str, Any]:
    """What the token endpoint answers. Raises `Down`."""
    return {"access_token": world.fetch(), "token_type": "Bearer", "expires_in": LIFE_SECONDS}
