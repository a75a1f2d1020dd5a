"""Requests a new token with an account's credentials, and tries it before it is published."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rotator.domain.credentials import Credentials, parse_credentials
from rotator.domain.errors import (
    CredentialsError,
    CredentialsRefused,
    InvalidTokenResponse,
    NoCredentialsYet,
    RejectedTokenAgain,
    RotatorError,
    TokenRejectedByProbe,
)
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.policy import TokenState, is_worse, state_of
from rotator.domain.settings import Settings
from rotator.domain.token_response import read_token_response
from rotator.ports import CircuitBreaker, Probe, SecretStore, SecretVersion, TokenEndpoint, Verdict
from talend_token.document import TokenDocument

# Forced rotations and the schedule always reach the token endpoint, because they are too rare to overload it.
_GUARDED_BY_BREAKER = (Trigger.REJECTED, Trigger.WATCHDOG)


@dataclass(frozen=True)
class Issuer:
    """Gets tokens from the authorization server.

    If the current version of the credentials secret is refused or malformed, the previous version is used as long as it
    works. Each version has a circuit breaker of its own, so changed credentials are tried at once.
    """

    settings: Settings
    secrets: SecretStore
    token_endpoint: TokenEndpoint
    breaker: CircuitBreaker
    probe: Probe
    clock: Callable[[], float] = time.time

    def issue(self, invocation: Invocation, published: TokenDocument | None) -> TokenDocument:
        """Return a new token that passed every check, or the published one if the endpoint returns it again.

        Raises:
            CredentialsError, SecretStoreError, CircuitOpen, TokenEndpointError.
        """
        secret_id = self.settings.credentials_secret(invocation.account)
        current = self.current_credentials(secret_id)
        circuit = f"{invocation.account}/{current.version_id}"
        request = partial(self._issue, invocation, secret_id, current, published)
        if invocation.trigger in _GUARDED_BY_BREAKER:
            return self.breaker.call(circuit, secret_id, request)
        document = request()
        if invocation.trigger is Trigger.MANUAL:
            self.breaker.close(circuit)
        return document

    def current_credentials(self, secret_id: str) -> SecretVersion:
        """Return the current version of a credentials secret.

        Raises:
            NoCredentialsYet, SecretStoreError.
        """
        version = self.secrets.read(secret_id, "AWSCURRENT")
        if version is None:
            raise NoCredentialsYet(secret_id)
        return version

    def _issue(
        self, invocation: Invocation, secret_id: str, current: SecretVersion, published: TokenDocument | None
    ) -> TokenDocument:
        try:
            document = self._request(invocation, secret_id, current, published)
        except (CredentialsError, CredentialsRefused) as error:
            refusal: RotatorError = error
        else:
            invocation.credentials_refused = False
            return document
        invocation.credentials_refused = True
        invocation.warn(f"the current credentials are unusable, so the previous ones are used if they work: {refusal}")
        previous = self.secrets.read(secret_id, "AWSPREVIOUS")
        # A stale read may still return the version that was current a moment ago and has become the previous one.
        if previous is None or previous.version_id == current.version_id:
            raise refusal
        try:
            return self._request(invocation, secret_id, previous, published)
        except (CredentialsError, CredentialsRefused) as error:
            invocation.warn(f"the previous credentials are unusable too: {error}")
            raise refusal from None

    def _request(
        self, invocation: Invocation, secret_id: str, version: SecretVersion, published: TokenDocument | None
    ) -> TokenDocument:
        credentials = parse_credentials(secret_id, version.version_id, version.text, self.settings.api_url)
        response = self.token_endpoint.request_token(credentials, invocation.token_deadline)
        document, warning = read_token_response(response)
        if warning:
            invocation.warn(warning)
        if published is not None:
            self._check_against_published(invocation, credentials, document, published)
        if self.settings.probe_path:
            probed = self.probe.probe(document, self.settings.probe_path, invocation.token_deadline)
            if probed.verdict is Verdict.REJECTED:
                raise TokenRejectedByProbe(credentials.token_endpoint, credentials.secret_id, probed.url)
            if probed.verdict is Verdict.UNKNOWN:
                invocation.warn(f"the probe did not show whether the token is valid: {probed.detail}")
        return document

    def _check_against_published(
        self, invocation: Invocation, credentials: Credentials, document: TokenDocument, published: TokenDocument
    ) -> None:
        endpoint, secret_id, now = credentials.token_endpoint, credentials.secret_id, self.clock()
        if document.holds_same_token(published):
            if invocation.trigger is Trigger.REJECTED:
                raise RejectedTokenAgain(endpoint, secret_id)
            if state_of(published, now) is TokenState.INVALID:
                problem = "returned the published token again, although it has expired"
                raise InvalidTokenResponse(endpoint, secret_id, problem, "Report it to Talend.", status=200)
        elif is_worse(invocation.trigger, document, published, now):
            problem = "returned a token that expires before the published one"
            fix = (
                "Nothing was published, and the published token stays valid. If this continues, ask Talend how long "
                "tokens are valid. A forced rotation publishes the shorter one."
            )
            raise InvalidTokenResponse(endpoint, secret_id, problem, fix, status=200)
