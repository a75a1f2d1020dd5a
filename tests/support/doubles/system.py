"""The whole service over in-memory machines, in virtual time."""

from __future__ import annotations

from itertools import count
from typing import Any

from doubles.clock import Clock
from doubles.lock import InMemoryCircuitBreaker, InMemoryLock
from doubles.secret_store import InMemorySecretStore
from doubles.token_endpoint import ScriptedProbe, ScriptedTokenEndpoint
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.result import Result
from rotator.domain.settings import Settings
from rotator.service.dry_run import DryRun
from rotator.service.issuer import Issuer
from rotator.service.publisher import Publisher
from rotator.service.rotator import Rotator
from talend_token.document import TokenDocument

CREDENTIALS = "talend-token/default/credentials"
TOKEN = "talend-token/default/token"
FUNCTION_SECONDS = 60


class System:
    """Both functions, with valid credentials stored and an empty token secret; `settings` replace the usual ones."""

    def __init__(self, expires_in: Any = "1800", **settings: Any) -> None:
        self.clock = Clock()
        usual = {
            "secret_prefix": "talend-token",
            "api_url": "https://api.eu.cloud.talend.com",
            "schedule_expression": "rate(25 minutes)",
            "lock_table": "locks",
            "stack_name": "talend-token",
        }
        self.settings = Settings(**usual | settings)
        self.secrets = InMemorySecretStore(self.clock)
        self.secrets.put(CREDENTIALS, "abc:s3cret", "credentials-1")
        self.secrets.create(TOKEN)
        self.endpoint = ScriptedTokenEndpoint(self.clock, expires_in)
        self.lock = InMemoryLock(self.clock)
        self.breaker = InMemoryCircuitBreaker(self.clock)
        self.probe = ScriptedProbe()
        issuer = Issuer(self.settings, self.secrets, self.endpoint, self.breaker, self.probe, self.clock)
        dry_run = DryRun(self.settings, self.secrets, issuer, self.lock, self.clock, lambda: "nobody")
        numbers = count(1)
        publisher = Publisher(self.settings, self.secrets, issuer, self.lock, self.clock, lambda: f"v{next(numbers)}")
        self.rotator = Rotator(self.settings, self.secrets, publisher, dry_run, self.clock, self.clock.sleep)
        self.invocation = Invocation(Trigger.MANUAL, 0)
        """The last one."""

    def rotate(self, trigger: Trigger = Trigger.MANUAL, **event: Any) -> Result:
        """Invoke `rotate`."""
        self.invocation = Invocation(trigger, self.clock() + FUNCTION_SECONDS, **event)
        return self.rotator.rotate(self.invocation)

    def renew(self, version_id: str | None = None, *, account: str = "default") -> Result:
        """Invoke `renew` for the version that was rejected: the published one if none is named."""
        rejected = self.published_version if version_id is None else version_id
        self.invocation = Invocation(
            Trigger.REJECTED, self.clock() + FUNCTION_SECONDS, account=account, rejected_version_id=rejected
        )
        return self.rotator.renew(self.invocation)

    @property
    def published(self) -> TokenDocument:
        """The document that consumers read."""
        return self.secrets.document(TOKEN)

    @property
    def published_version(self) -> str | None:
        """Its version."""
        return self.secrets.label(TOKEN, "AWSCURRENT")
