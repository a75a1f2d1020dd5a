"""The composition root: the one place that names the real adapters."""

from __future__ import annotations

import os
from functools import cache

from rotator.circuit_breaker import DynamoDBCircuitBreaker
from rotator.doctor import Doctor
from rotator.event_bus import EventBridgeBus, event_bus_client
from rotator.issuer import Issuer
from rotator.probe import HttpProbe
from rotator.replacement import Replacement
from rotator.rotation import Rotation
from rotator.secret_store import SecretsManagerStore, secrets_manager_client
from rotator.service_models import setup_default_session
from rotator.settings import Settings
from rotator.single_flight import IdempotentSingleFlight, lock_table_client
from rotator.token_endpoint import HttpTokenEndpoint


@cache
def rotation() -> Rotation:
    """The rotation over real adapters; made at the first invocation and kept while the function is warm.

    Raises:
        InvalidSettings: the function's environment variables are incomplete or wrong.
    """
    settings = Settings.from_environment(os.environ)
    setup_default_session()
    secrets = SecretsManagerStore(secrets_manager_client())
    locks = lock_table_client()
    breaker = DynamoDBCircuitBreaker(locks, settings.lock_table)
    issuer = Issuer(settings, secrets, HttpTokenEndpoint(), breaker, HttpProbe())
    single_flight = IdempotentSingleFlight(locks, settings.lock_table)
    replacement = Replacement(settings, issuer, single_flight, EventBridgeBus(event_bus_client()))
    return Rotation(settings, secrets, replacement, Doctor(settings, secrets, issuer, single_flight))


def account_of(secret_id: str) -> str | None:
    """The account whose credentials secret has this name or ARN; see `Settings.account_of`."""
    return rotation().settings.account_of(secret_id)
