"""The composition root: the one place that names the real adapters."""

from __future__ import annotations

import os
from functools import cache

import boto3

from rotator.adapters.circuit_breaker import DynamoDBCircuitBreaker
from rotator.adapters.lock_table import LockTable, lock_table_client
from rotator.adapters.probe import HttpProbe
from rotator.adapters.secrets_manager import SecretsManagerStore, secrets_manager_client
from rotator.adapters.token_endpoint import HttpTokenEndpoint
from rotator.domain.settings import Settings
from rotator.service.dry_run import DryRun
from rotator.service.issuer import Issuer
from rotator.service.publisher import Publisher
from rotator.service.rotator import Rotator


@cache
def rotator() -> Rotator:
    """Return the service with its real adapters, which are created once and kept while the function is warm.

    Raises:
        InvalidSettings: the function's environment variables are incomplete or wrong.
    """
    settings = Settings.from_environment(os.environ)
    # Not boto3's default session, because other code in the process may change that one.
    session = boto3.session.Session()
    secrets = SecretsManagerStore(secrets_manager_client(session))
    table = lock_table_client(session)
    breaker = DynamoDBCircuitBreaker(table, settings.lock_table)
    issuer = Issuer(settings, secrets, HttpTokenEndpoint(), breaker, HttpProbe())
    lock = LockTable(table, settings.lock_table)
    publisher = Publisher(settings, secrets, issuer, lock)
    return Rotator(settings, secrets, publisher, DryRun(settings, secrets, issuer, lock))
