"""The composition root: the one place that names the real adapters."""

from __future__ import annotations

import os
from functools import cache

from rotator.circuit_breaker import DynamoDBCircuitBreaker
from rotator.issuer import Issuer
from rotator.replacement import Replacement
from rotator.rotation import Rotation
from rotator.secret_store import SecretsManagerStore, secrets_manager_client
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
    secrets = SecretsManagerStore(secrets_manager_client())
    locks = lock_table_client()
    breaker = DynamoDBCircuitBreaker(locks, settings.lock_table)
    issuer = Issuer(settings, secrets, HttpTokenEndpoint(), breaker)
    replacement = Replacement(settings, issuer, IdempotentSingleFlight(locks, settings.lock_table))
    return Rotation(settings, secrets, issuer, replacement)
