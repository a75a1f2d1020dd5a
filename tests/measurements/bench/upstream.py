"""The benchmark's side of `bench.upstream_server`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import requests

from bench.upstream_server import SECRET_NAME

__all__ = ["RENEW_FUNCTION", "SECRET_NAME", "Upstream", "environment"]

RENEW_FUNCTION = "talend-token-renew"
STOP_SECONDS = 10


class Upstream:
    """A server process from `with` to its end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.upstream_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the upstream server ended before it was ready: see what it printed above")
        self._session = requests.Session()
        self._session.trust_env = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def api_url(self) -> str:
        """An API call that answers 200 or 401."""
        return f"{self.url}/api"

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint."""
        return f"{self.url}/token"

    def set(self, *, latency_seconds: float | None = None, life_seconds: int | None = None) -> None:
        """`latency_seconds` of all but the API, and the life of what is issued from now on."""
        asked = {"latency_seconds": latency_seconds, "life_seconds": life_seconds}
        self._control({name: value for name, value in asked.items() if value is not None})

    def publish(self) -> None:
        """Put a new token into the secret."""
        self._control({"publish": True})

    def revoke(self) -> None:
        """End every token."""
        self._control({"revoke": True})

    def working(self) -> dict[str, int]:
        """The tokens that are not revoked, with the moment each expires at."""
        working: dict[str, int] = self._control({})["working"]
        return working

    def take_counts(self) -> dict[str, int]:
        """How often each operation was asked for since the last time."""
        counts: dict[str, int] = self._control({"reset": True})["counts"]
        return counts

    def _control(self, asked: dict[str, Any]) -> dict[str, Any]:
        answer = self._session.post(f"{self.url}/control", json=asked, timeout=30)
        answer.raise_for_status()
        members: dict[str, Any] = answer.json()
        return members

    def environment(self) -> dict[str, str]:
        """The variables that turn a process's AWS SDK to this server, and the client to its secret."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "AUTHLIB_INSECURE_TRANSPORT": "1",
            "TALEND_TOKEN_SECRET": SECRET_NAME,
            "TALEND_RENEW_FUNCTION": RENEW_FUNCTION,
            "TOKEN_URL": self.token_url,
        }


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables of this process for a while."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
