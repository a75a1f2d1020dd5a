"""Asks for a new token with an account's credentials, and tries it before anybody else does."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from rotator.domain.credentials import Credentials, parse_credentials
from rotator.domain.errors import (
    CircuitOpen,
    CredentialsError,
    RejectedTokenAgain,
    RotatorError,
    TokenRefused,
    TokenRejectedByProbe,
)
from rotator.domain.event import Trigger
from rotator.domain.settings import Settings
from rotator.domain.token_response import IssuedToken, TokenResponse, read_token_response
from rotator.ports import CircuitBreaker, Probe, Probed, SecretStore, SecretVersion, TokenEndpoint, Verdict
from talend_token.document import TokenDocument

# A person and the schedule always reach the token endpoint: neither can hammer it.
_PASS_THE_BREAKER = (Trigger.MANUAL, Trigger.SCHEDULE)


@dataclass(frozen=True)
class Pair:
    """The credentials in one version of a credentials secret, and the API that they are for."""

    version_id: str
    credentials: Credentials = field(repr=False)
    api_url: str


@dataclass(frozen=True)
class Issuance:
    """A new token that passed every check."""

    document: TokenDocument
    seconds: float
    """How long the token endpoint took."""
    credentials_refused: bool
    """True if the current pair was of no use and the previous one was used."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Issuer:
    """Gets tokens from the authorization server.

    If the current pair of the credentials secret is refused for good, or cannot be read, the previous one is used while
    that works. Each pair has its own breaker, and one more, named by the current version, keeps callers away while
    neither pair is of use or the tokens themselves are not; changed credentials are tried at once.
    """

    settings: Settings
    secrets: SecretStore
    token_endpoint: TokenEndpoint
    breaker: CircuitBreaker
    probe: Probe
    clock: Callable[[], float] = time.time

    def issue(self, account: str, trigger: Trigger, deadline: float, published: TokenDocument | None) -> Issuance:
        """A checked token.

        `deadline` is in seconds since the epoch; `published` is the token to be replaced.

        Raises:
            CredentialsError, SecretStoreError, TokenEndpointError.
        """
        current = self.current(account)

        def usable() -> Issuance:
            issuance = self._by_either_pair(account, current, trigger, deadline)
            document = issuance.document
            if trigger is Trigger.REJECTED and published and published.fingerprint == document.fingerprint:
                raise RejectedTokenAgain(f"{document.api_url}/security/oauth/token")
            probed = self.probed(document, deadline)
            if probed is None or probed.verdict is Verdict.ACCEPTED:
                return issuance
            if probed.verdict is Verdict.REFUSED:
                raise TokenRejectedByProbe(f"{document.api_url}/security/oauth/token", probed.url)
            return replace(issuance, warnings=(*issuance.warnings, f"the probe tells nothing: {probed.detail}"))

        api_url = self.settings.api_url
        with suppress(CredentialsError):
            api_url = self.pair(account, current).api_url
        return self._guarded(trigger, f"{account}/{current.version_id}", api_url, usable)

    def current(self, account: str) -> SecretVersion:
        """The current version of the account's credentials secret.

        Raises:
            CredentialsError, SecretStoreError.
        """
        version = self.secrets.read(self.settings.credentials_secret(account), "AWSCURRENT")
        if version is None:
            raise CredentialsError(self.settings.credentials_secret(account), "has no value yet", self._how(account))
        return version

    def pair(self, account: str, version: SecretVersion) -> Pair:
        """What a version of the account's credentials secret holds.

        Raises:
            CredentialsError: it is neither of the documented forms.
        """
        secret_id = self.settings.credentials_secret(account)
        if version.text is None:
            raise CredentialsError(secret_id, "holds a binary value, not a string", self._how(account))
        credentials = parse_credentials(secret_id, version.text)
        return Pair(version.version_id, credentials, credentials.api_url or self.settings.api_url)

    def request(self, pair: Pair, deadline: float) -> TokenResponse:
        """Ask the token endpoint. Raises `TokenEndpointError`."""
        return self.token_endpoint.request_token(pair.credentials, pair.api_url, deadline)

    def checked(self, pair: Pair, response: TokenResponse) -> IssuedToken:
        """The token of an answer. Raises `InvalidTokenResponse`."""
        minimum = self.settings.minimum_life_seconds
        return read_token_response(response, api_url=pair.api_url, minimum_life_seconds=minimum)

    def probed(self, document: TokenDocument, deadline: float) -> Probed | None:
        """What the token's API says of it; None if no path is configured to ask."""
        path = self.settings.probe_path
        return self.probe.probe(document, path, deadline) if path else None

    def _by_either_pair(self, account: str, current: SecretVersion, trigger: Trigger, deadline: float) -> Issuance:
        started = self.clock()
        try:
            pair = self.pair(account, current)
            issued = self._ask(account, pair, trigger, deadline)
            return Issuance(issued.document, self.clock() - started, False, issued.warnings)
        except (CredentialsError, TokenRefused, CircuitOpen) as error:
            refusal: RotatorError = error
        refusal.credentials_refused = True
        try:
            previous = self.secrets.read(self.settings.credentials_secret(account), "AWSPREVIOUS")
            if previous is None:
                raise refusal
            pair = self.pair(account, previous)
            issued = self._ask(account, pair, trigger, deadline)
        except (CredentialsError, TokenRefused, CircuitOpen) as error:
            if error is not refusal:
                refusal.add_note(f"The previous pair is of no use either: {error}")
            raise refusal from None
        except RotatorError as error:
            # May be better next time, so that the pair's breaker stays as it is.
            error.credentials_refused = True
            error.add_note(f"The previous pair was asked with, because of the current one: {refusal}")
            raise
        warning = f"the current pair {_why(refusal)}; the previous pair was used, for {pair.api_url}. {refusal}"
        return Issuance(issued.document, self.clock() - started, True, (warning, *issued.warnings))

    def _ask(self, account: str, pair: Pair, trigger: Trigger, deadline: float) -> IssuedToken:
        def ask() -> IssuedToken:
            return self.checked(pair, self.request(pair, deadline))

        return self._guarded(trigger, f"{account}/{pair.version_id}/pair", pair.api_url, ask)

    def _guarded[T](self, trigger: Trigger, circuit: str, api_url: str, ask: Callable[[], T]) -> T:
        if trigger not in _PASS_THE_BREAKER:
            return self.breaker.call(circuit, api_url, ask)
        answer = ask()
        if trigger is Trigger.MANUAL:
            self.breaker.close(circuit)
        return answer

    def _how(self, account: str) -> str:
        secret_id = self.settings.credentials_secret(account)
        return (
            f"Store it with `aws secretsmanager put-secret-value --secret-id {secret_id} --secret-string file://...`."
        )


def _why(refusal: RotatorError) -> str:
    if isinstance(refusal, TokenRefused):
        return f"was refused ({refusal.status})"
    return "was refused a moment ago" if isinstance(refusal, CircuitOpen) else "cannot be read"
