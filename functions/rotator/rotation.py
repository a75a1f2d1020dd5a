"""The one operation of the system: put a new token in the place of the published one, at most once."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rotator.credentials import Credentials, parse_credentials
from rotator.errors import CredentialsError, InvalidTokenResponse, RotatorError
from rotator.event import RotateRequest, Trigger
from rotator.policy import TokenState, is_due, may_promote, state_of
from rotator.ports import SecretStore, TokenEndpoint
from rotator.settings import Settings
from rotator.token_response import IssuedToken, read_token_response
from talend_token import InvalidTokenDocument, TokenDocument


class Outcome(StrEnum):
    """How a rotation ended."""

    ROTATED = "rotated"
    """A new token is published."""
    FRESH = "fresh"
    """Nothing was due."""
    UNCHANGED = "unchanged"
    """The token endpoint handed out the published token again, so no version was spent on it."""
    SUPERSEDED = "superseded"
    """Another run published meanwhile; the token of this one was left unpublished."""
    CHECKED = "checked"
    """A dry run: a token was asked for and checked, nothing was written."""


@dataclass(frozen=True)
class RotationResult:
    """What a rotation did. `version_id` and `expires_at` are those of the token that is published now."""

    outcome: Outcome
    account: str
    trigger: Trigger
    version_id: str | None
    expires_at: int | None
    token_endpoint_seconds: float | None = None
    """How long the token endpoint took, if it was asked."""
    warnings: tuple[str, ...] = ()

    def as_answer(self) -> dict[str, Any]:
        """What the function returns."""
        return {
            "outcome": str(self.outcome),
            "account": self.account,
            "trigger": str(self.trigger),
            "version_id": self.version_id,
            "expires_at": self.expires_at,
        }


@dataclass(frozen=True)
class _Slot:
    """What a token secret holds under one staging label; no `version_id` stands for nothing."""

    version_id: str = ""
    stages: frozenset[str] = frozenset()
    document: TokenDocument | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rotation:
    """Rotates tokens: every trigger takes this way."""

    settings: Settings
    secrets: SecretStore
    token_endpoint: TokenEndpoint
    clock: Callable[[], float] = time.time
    new_version_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def rotate(self, request: RotateRequest, deadline: float) -> RotationResult:
        """Replace the account's published token if the trigger finds it due.

        `deadline` is when the token endpoint must have answered, in seconds since the epoch. Whatever goes wrong, the
        published token stays as it was.

        Raises:
            RotatorError: with the account's name in its message.
        """
        try:
            published = self._read(request.account, "AWSCURRENT")
            if request.dry_run:
                issued, seconds = self._issue(request.account, deadline)
                warnings = published.warnings + issued.warnings
                return self._result(Outcome.CHECKED, request, published, warnings, seconds)
            if not is_due(request.trigger, published.document, self.clock()):
                return self._result(Outcome.FRESH, request, published)
            return self._replace(request, published, deadline)
        except RotatorError as error:
            error.account = request.account
            raise

    def _replace(self, request: RotateRequest, published: _Slot, deadline: float) -> RotationResult:
        staged = self._left_staged(request, published)
        if staged is not None:
            warnings = (*published.warnings, "published a token that an interrupted run had left staged")
            return self._promote(request, published, staged, warnings)
        issued, seconds = self._issue(request.account, deadline)
        warnings = published.warnings + issued.warnings
        if published.document is not None and published.document.fingerprint == issued.document.fingerprint:
            if state_of(published.document, self.clock()) is TokenState.INVALID:
                raise InvalidTokenResponse(
                    f"{issued.document.api_url}/security/oauth/token",
                    "handed out the published token again, although that has expired",
                    "Report it to Talend.",
                    status=200,
                )
            return self._result(Outcome.UNCHANGED, request, published, warnings, seconds)
        version_id = self.new_version_id()
        stages = self.secrets.stage(self._token_secret(request), version_id, issued.document.to_json())
        return self._promote(request, published, _Slot(version_id, stages, issued.document), warnings, seconds)

    def _promote(
        self,
        request: RotateRequest,
        published: _Slot,
        staged: _Slot,
        warnings: tuple[str, ...],
        seconds: float | None = None,
    ) -> RotationResult:
        # The first version of a secret gets AWSCURRENT by itself [API PutSecretValue].
        if "AWSCURRENT" in staged.stages or self.secrets.promote(
            self._token_secret(request), staged.version_id, published.version_id or None
        ):
            return self._result(Outcome.ROTATED, request, staged, warnings, seconds)
        winner = self._read(request.account, "AWSCURRENT")
        return self._result(Outcome.SUPERSEDED, request, winner, warnings, seconds)

    def _left_staged(self, request: RotateRequest, published: _Slot) -> _Slot | None:
        # After a complete rotation both labels are on the published version, and there is nothing to look for.
        if "AWSPENDING" in published.stages:
            return None
        staged = self._read(request.account, "AWSPENDING")
        if staged.document is None:
            return None
        return staged if may_promote(request.trigger, staged.document, published.document, self.clock()) else None

    def _read(self, account: str, stage: str) -> _Slot:
        version = self.secrets.read(self.settings.token_secret(account), stage)
        if version is None:
            return _Slot()
        try:
            if version.text is None:
                raise InvalidTokenDocument("binary")
            document = TokenDocument.from_json(version.text)
        except InvalidTokenDocument as error:
            warning = f"version {version.version_id} of the token secret is not a token document: {error}"
            return _Slot(version.version_id, version.stages, warnings=(warning,))
        return _Slot(version.version_id, version.stages, document)

    def _issue(self, account: str, deadline: float) -> tuple[IssuedToken, float]:
        """Ask for a token and check it. Returns it with the seconds that the token endpoint took."""
        credentials = self._credentials(account)
        api_url = credentials.api_url or self.settings.api_url
        started = self.clock()
        response = self.token_endpoint.request_token(credentials, api_url, deadline)
        seconds = self.clock() - started
        minimum = self.settings.minimum_life_seconds
        return read_token_response(response, api_url=api_url, minimum_life_seconds=minimum), seconds

    def _credentials(self, account: str) -> Credentials:
        secret_id = self.settings.credentials_secret(account)
        store = (
            f"Store it with `aws secretsmanager put-secret-value --secret-id {secret_id} --secret-string file://...`."
        )
        version = self.secrets.read(secret_id, "AWSCURRENT")
        if version is None:
            raise CredentialsError(secret_id, "has no value yet", store)
        if version.text is None:
            raise CredentialsError(secret_id, "holds a binary value, not a string", store)
        return parse_credentials(secret_id, version.text)

    def _result(
        self,
        outcome: Outcome,
        request: RotateRequest,
        now_published: _Slot,
        warnings: tuple[str, ...] = (),
        seconds: float | None = None,
    ) -> RotationResult:
        return RotationResult(
            outcome=outcome,
            account=request.account,
            trigger=request.trigger,
            version_id=now_published.version_id or None,
            expires_at=now_published.document.expires_at if now_published.document else None,
            token_endpoint_seconds=seconds,
            warnings=warnings,
        )

    def _token_secret(self, request: RotateRequest) -> str:
        return self.settings.token_secret(request.account)
