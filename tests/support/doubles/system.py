"""The whole core over in-memory machines, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from doubles.clock import Clock
from doubles.event_bus import RecordingEventBus
from doubles.probe import ScriptedProbe
from doubles.secret_store import InMemorySecretStore
from doubles.single_flight import InMemoryCircuitBreaker, InMemorySingleFlight
from doubles.token_endpoint import ScriptedTokenEndpoint
from rotator.domain.event import RenewRequest, RotateRequest, Trigger
from rotator.domain.result import Result
from rotator.domain.settings import Settings
from rotator.service.dry_run import Doctor
from rotator.service.issuer import Issuer
from rotator.service.publisher import Replacement
from rotator.service.rotator import Rotation
from talend_token.document import TokenDocument

CREDENTIALS = "talend/default/credentials"
TOKEN = "talend/default/token"
FUNCTION_SECONDS = 60


class System:
    """Both functions, with good credentials stored and an empty token secret; `settings` are other than the usual."""

    def __init__(self, expires_in: Any = "1800", **settings: Any) -> None:
        self.clock = Clock()
        self.settings = Settings(
            secret_prefix="talend",
            api_url="https://api.eu.cloud.talend.com",
            minimum_life_seconds=60,
            schedule_expression="rate(25 minutes)",
            lock_table="locks",
            default_credentials_secret="",
        )
        self.settings = replace(self.settings, **settings)
        self.secrets = InMemorySecretStore(self.clock)
        self.secrets.put(CREDENTIALS, "abc:s3cret", "credentials-1")
        self.secrets.create(TOKEN)
        self.endpoint = ScriptedTokenEndpoint(self.clock, expires_in)
        self.single_flight = InMemorySingleFlight(self.clock)
        self.breaker = InMemoryCircuitBreaker(self.clock)
        self.probe = ScriptedProbe()
        self.event_bus = RecordingEventBus()
        issuer = Issuer(self.settings, self.secrets, self.endpoint, self.breaker, self.probe, self.clock)
        doctor = Doctor(self.settings, self.secrets, issuer, self.single_flight, self.clock, lambda: "nobody")
        replacement = Replacement(
            self.settings, issuer, self.single_flight, self.event_bus, self.clock, self._new_version_id
        )
        self.rotation = Rotation(self.settings, self.secrets, replacement, doctor, self.clock, self.clock.sleep)
        self._versions = 0

    def _new_version_id(self) -> str:
        self._versions += 1
        return f"v{self._versions}"

    def rotate(self, trigger: Trigger = Trigger.MANUAL, **request: Any) -> Result:
        """Invoke `rotate`."""
        return self.rotation.rotate(RotateRequest(trigger, **request), self.clock() + FUNCTION_SECONDS)

    def renew(self, version_id: str | None = None, *, account: str = "default", sha256: str | None = None) -> Result:
        """Invoke `renew` for the version that was rejected: the published one if none is named."""
        if version_id is None and sha256 is None:
            version_id = self.published_version
        request = RenewRequest(account, version_id, sha256)
        return self.rotation.renew(request, self.clock() + FUNCTION_SECONDS)

    @property
    def published(self) -> TokenDocument:
        """What consumers read."""
        return self.secrets.document(TOKEN)

    @property
    def published_version(self) -> str | None:
        """Its version."""
        return self.secrets.label(TOKEN, "AWSCURRENT")
