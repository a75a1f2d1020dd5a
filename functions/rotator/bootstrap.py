"""The composition root: the one place that names the real adapters."""

from __future__ import annotations

import os
from functools import cache

from rotator.adapters.circuit_breaker import DynamoDBCircuitBreaker
from rotator.adapters.event_bus import EventBridgeBus, event_bus_client
from rotator.adapters.lock_table import IdempotentSingleFlight, lock_table_client
from rotator.adapters.probe import HttpProbe
from rotator.adapters.sdk_models import setup_default_session
from rotator.adapters.secrets_manager import SecretsManagerStore, secrets_manager_client
from rotator.adapters.token_endpoint import HttpTokenEndpoint
from rotator.domain.settings import Settings
from rotator.service.dry_run import Doctor
from rotator.service.issuer import Issuer
from rotator.service.publisher import Replacement
from rotator.service.rotator import Rotation


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
