"""Asks for a new token with an account's credentials."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rotator.credentials import parse_credentials
from rotator.errors import CredentialsError, RejectedTokenAgain
from rotator.event import Trigger
from rotator.ports import CircuitBreaker, SecretStore, TokenEndpoint
from rotator.settings import Settings
from rotator.token_response import IssuedToken, read_token_response
from talend_token import TokenDocument

# A person and the schedule always reach the token endpoint: neither can hammer it.
_PASS_THE_BREAKER = (Trigger.MANUAL, Trigger.SCHEDULE)


@dataclass(frozen=True)
class Issuer:
    """Gets tokens from the authorization server."""

    settings: Settings
    secrets: SecretStore
    token_endpoint: TokenEndpoint
    breaker: CircuitBreaker
    clock: Callable[[], float] = time.time

    def issue(
        self, account: str, trigger: Trigger, deadline: float, published: TokenDocument | None
    ) -> tuple[IssuedToken, float]:
        """A checked token, and the seconds that the token endpoint took.

        `deadline` is in seconds since the epoch; `published` is the token to be replaced.

        Raises:
            CredentialsError, SecretStoreError, TokenEndpointError.
        """
        secret_id = self.settings.credentials_secret(account)
        store = (
            f"Store it with `aws secretsmanager put-secret-value --secret-id {secret_id} --secret-string file://...`."
        )
        version = self.secrets.read(secret_id, "AWSCURRENT")
        if version is None:
            raise CredentialsError(secret_id, "has no value yet", store)
        if version.text is None:
            raise CredentialsError(secret_id, "holds a binary value, not a string", store)
        credentials = parse_credentials(secret_id, version.text)
        api_url = credentials.api_url or self.settings.api_url

        def ask() -> IssuedToken:
            response = self.token_endpoint.request_token(credentials, api_url, deadline)
            minimum = self.settings.minimum_life_seconds
            issued = read_token_response(response, api_url=api_url, minimum_life_seconds=minimum)
            if trigger is Trigger.REJECTED and published and published.fingerprint == issued.document.fingerprint:
                raise RejectedTokenAgain(response.url)
            return issued

        # Named by the version of the credentials, so that changed ones are tried at once.
        circuit = f"{account}/{version.version_id}"
        started = self.clock()
        if trigger in _PASS_THE_BREAKER:
            issued = ask()
            if trigger is Trigger.MANUAL:
                self.breaker.close(circuit)
        else:
            issued = self.breaker.call(circuit, api_url, ask)
        return issued, self.clock() - started
