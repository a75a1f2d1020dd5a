"""The composition root: the one place that names the real adapters."""

from __future__ import annotations

import os
from functools import cache

from rotator.rotation import Rotation
from rotator.secret_store import SecretsManagerStore, secrets_manager_client
from rotator.settings import Settings
from rotator.token_endpoint import HttpTokenEndpoint


@cache
def rotation() -> Rotation:
    """The rotation over real adapters; made at the first invocation and kept while the function is warm.

    Raises:
        InvalidSettings: the function's environment variables are incomplete or wrong.
    """
    return Rotation(
        settings=Settings.from_environment(os.environ),
        secrets=SecretsManagerStore(secrets_manager_client()),
        token_endpoint=HttpTokenEndpoint(),
    )
