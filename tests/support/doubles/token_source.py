"""The source of a client's tokens, in memory."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable

from doubles.clock import Clock
from talend_token import RenewalFailed, Token, TokenUnavailable
from talend_token._sources import Published, Renewal

API = "https://api.eu.cloud.talend.com"


class InMemoryTokenSource:
    """A token secret with a renew function beside it. `clock` is AWS's; each published token counts up: v1, v2, ..."""

    def __init__(self, clock: Clock, *, api_url: str = API) -> None:
        self.clock = clock
        self.api_url = api_url
        self.published: list[Published] = []
        self.reads = 0
        self.renewals: list[str] = []
        self.outage: TokenUnavailable | None = None
        """Raised by each read while it is set."""
        self.stale_reads = 0
        """How many more reads show the version before the published one."""
        self.on_read: Callable[[], None] = lambda: None
        self.on_renew: Callable[[], Renewal] = self._renew
        self.says_when = True
        """Whether its answers carry a date."""
        self.date = 0.0
        """How wrong that is, in seconds."""
        self._lock = threading.Lock()

    def publish(self, *, life: int = 1800, age: float = 0) -> Token:
        """Publish a new token in place of the last one."""
        issued_at = math.floor(self.clock() - age)
        version = f"v{len(self.published) + 1}"
        sys.audit("secret.minted", f"token-of-{version}")
        token = Token(f"token-of-{version}", expires_at=issued_at + life, version_id=version, api_url=self.api_url)
        self.published.append(Published(token, issued_at, None))
        return token

    def read(self) -> Published:
        with self._lock:
            self.reads += 1
        self.on_read()
        if self.outage:
            raise self.outage
        with self._lock:
            shown = self.published[-1]
            if self.stale_reads and len(self.published) > 1:
                self.stale_reads -= 1
                shown = self.published[-2]
        return Published(shown.token, shown.issued_at, math.floor(self.clock() + self.date) if self.says_when else None)

    def renew(self, rejected_version_id: str) -> Renewal:
        with self._lock:
            self.renewals.append(rejected_version_id)
        return self.on_renew()

    def _renew(self) -> Renewal:
        self.publish()
        return Renewal("rotated")

    def refuse(self, outcome: str, retry_after_seconds: float = 0) -> None:
        """Have the renew function answer with this outcome."""
        self.on_renew = lambda: Renewal(outcome, retry_after_seconds)

    def fail(self, outcome: str, *, may_show: bool = False) -> None:
        """Have the renew function fail."""

        def renew() -> Renewal:
            raise RenewalFailed(f"renew: {outcome}", outcome=outcome, may_show=may_show)

        self.on_renew = renew

    def __str__(self) -> str:
        return "token secret 'talend-token/default/token'"
