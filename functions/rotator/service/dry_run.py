"""Checks every link of the chain from the credentials to the published token, and publishes nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rotator.domain.credentials import Credentials, parse_credentials
from rotator.domain.errors import ReplacementInProgress, RotatorError, SecretStoreError
from rotator.domain.invocation import Invocation
from rotator.domain.policy import TokenState, state_of
from rotator.domain.result import Check, Outcome, Result
from rotator.domain.schedule import interval_seconds, schedule_problem
from rotator.domain.settings import Settings
from rotator.domain.stored_token import StoredToken
from rotator.domain.token_response import DEFAULT_LIFE_SECONDS, read_token_response
from rotator.domain.version_budget import DAY_SECONDS, VERSIONS_QUOTA, renewals_left
from rotator.ports import Lock, SecretStore, Verdict
from rotator.service.issuer import Issuer
from rotator.service.token_secret import read_token
from talend_token.document import TokenDocument, advisory_seconds

_NOT_REACHED = "not checked, because an earlier check failed. Fix that one first."
_FORCE = "Force a rotation and read its result."

_FIXES = {
    Verdict.ACCEPTED: "",
    Verdict.REJECTED: ". Such a token is not published. Check the API URL and the account's permissions.",
    Verdict.UNKNOWN: ". This does not show whether the token is valid, so it would be published. Check ProbePath.",
}


@dataclass
class _Findings:
    """The checks so far. After a failed check, the others still run."""

    checks: list[Check] = field(default_factory=list)

    def look[T](self, link: str, look: Callable[[], tuple[bool, str, T]]) -> T | None:
        """Run one check and record it. `look` returns (ok, detail, value); a RotatorError is a failed check."""
        try:
            ok, detail, value = look()
        except RotatorError as error:
            ok, detail, value = False, str(error), None
        self.checks.append(Check(link, ok, detail))
        return value

    def skip(self, *links: str) -> None:
        """Record links that could not be checked because an earlier one is broken."""
        self.checks += [Check(link, False, _NOT_REACHED) for link in links]


@dataclass(frozen=True)
class DryRun:
    """Carries out `rotate` with `dry_run`."""

    settings: Settings
    secrets: SecretStore
    issuer: Issuer
    lock: Lock
    clock: Callable[[], float] = time.time
    new_version_id: Callable[[], object] = uuid.uuid4

    def check(self, invocation: Invocation) -> Result:
        """Return one `Check` for each link, in the order of the chain. Broken links are warnings in the log line."""
        found = _Findings()
        issued = self._token(invocation, found)
        secret_id = self.settings.token_secret(invocation.account)
        published = found.look("token secret", lambda: self._published(invocation, secret_id))
        if published is None:
            published = StoredToken()
            found.skip("right to stage", "right to promote")
        else:
            token = published
            found.look("right to stage", lambda: self._may_stage(secret_id, token))
            found.look("right to promote", lambda: self._may_promote(secret_id))
        is_readable, credentials_secret = found.checks[0].ok, self.settings.credentials_secret(invocation.account)
        found.look("key", lambda: self._keys(secret_id, credentials_secret, is_readable=is_readable))
        self._replicas(secret_id, found)
        found.look("lock table", lambda: self._lock(invocation))
        found.look("version budget", lambda: self._budget(secret_id))
        found.look("schedule", lambda: self._schedule(issued or published.document))
        for check in found.checks:
            if not check.ok:
                invocation.warn(f"{check.link}: {check.detail}")
        return replace(Result.of(invocation, Outcome.CHECKED, published), checks=tuple(found.checks))

    def _token(self, invocation: Invocation, found: _Findings) -> TokenDocument | None:
        credentials = found.look("credentials", lambda: self._credentials(invocation))
        if credentials is None:
            found.skip("token call", "token checks")
            return None
        deadline = invocation.token_deadline
        request_token = self.issuer.token_endpoint.request_token
        response = found.look("token call", lambda: (True, "200", request_token(credentials, deadline)))
        if response is None:
            found.skip("token checks")
            return None
        issued = found.look("token checks", lambda: _described(invocation, *read_token_response(response)))
        if issued is None:
            return None
        if self.settings.probe_path:
            probed = self.issuer.probe.probe(issued, self.settings.probe_path, deadline)
            found.look(
                "probe", lambda: (probed.verdict is Verdict.ACCEPTED, probed.detail + _FIXES[probed.verdict], None)
            )
        return issued

    def _credentials(self, invocation: Invocation) -> tuple[bool, str, Credentials]:
        secret_id = self.settings.credentials_secret(invocation.account)
        version = self.issuer.current_credentials(secret_id)
        credentials = parse_credentials(secret_id, version.version_id, version.text, self.settings.api_url)
        return True, f"version {credentials.version_id} is for {credentials.api_url}", credentials

    def _published(self, invocation: Invocation, secret_id: str) -> tuple[bool, str, StoredToken]:
        published = read_token(self.secrets, secret_id)
        invocation.expires_at = published.document.expires_at if published.document else 0
        if not published.version_id:
            return True, f"nothing is published yet. {_FORCE}", published
        state = state_of(published.document, self.clock())
        if published.document is None:
            return False, f"{state.name}: {published.problem}. {_FORCE}", published
        left = round(published.document.remaining_seconds(self.clock()))
        detail = f"{state.name}: version {published.version_id} is valid for {left} s"
        if state is TokenState.INVALID:
            return False, f"{detail}. {_FORCE}", published
        return True, detail, published

    def _may_stage(self, secret_id: str, published: StoredToken) -> tuple[bool, str, None]:
        if published.document is None:
            return (
                True,
                "cannot be checked without a change, because there is no published token to write again",
                None,
            )
        try:
            # Writing the same value again does nothing, and another value is refused [API PutSecretValue].
            self.secrets.stage(secret_id, published.version_id, published.document.to_json())
        except SecretStoreError as error:
            if error.code != "ResourceExistsException":
                raise
        return True, "PutSecretValue is allowed: the published version was written again, which changes nothing", None

    def _may_promote(self, secret_id: str) -> tuple[bool, str, None]:
        unknown = str(self.new_version_id())
        try:
            # The version does not exist, so nothing changes; a missing permission is reported first.
            self.secrets.promote(secret_id, unknown, unknown)
        except SecretStoreError as error:
            if error.code != "ResourceNotFoundException":
                raise
        return True, "UpdateSecretVersionStage is allowed: it was called for a version that does not exist", None

    def _keys(self, secret_id: str, credentials_secret: str, *, is_readable: bool) -> tuple[bool, str, None]:
        """Report the keys of both secrets. A different key may be the reason why the credentials cannot be read."""
        token_key = self.secrets.describe(secret_id).key
        credentials_key = self.secrets.describe(credentials_secret).key
        detail = f"the token secret is encrypted by {token_key}, the credentials secret by {credentials_key}"
        if is_readable or token_key == credentials_key:
            return True, detail, None
        fix = "Allow the functions' roles in the second key's policy, or use one key for both secrets."
        return False, f"{detail}. {fix}", None

    def _replicas(self, secret_id: str, found: _Findings) -> None:
        """Report the replicas if there are any, because only the consumers that read a failed replica notice it."""
        try:
            replicas = self.secrets.describe(secret_id).replicas
        except SecretStoreError:
            return
        if replicas:
            ok = all(status.startswith("InSync") for status in replicas.values())
            fix = "" if ok else ". Check the replica's KMS key and its policy, then replicate again."
            detail = "; ".join(f"{region} {status}" for region, status in replicas.items())
            found.checks.append(Check("replicas", ok, detail + fix))

    def _lock(self, invocation: Invocation) -> tuple[bool, str, None]:
        unknown = str(self.new_version_id())
        try:
            # The second time shows that the lock was released after the first.
            for _ in range(2):
                self.lock.acquire(invocation, unknown)
                self.lock.release(invocation, unknown, None)
        except ReplacementInProgress:
            return False, "a lock was taken but not released. Check that the role has dynamodb:DeleteItem.", None
        return True, "a lock was taken and released, twice", None

    def _budget(self, secret_id: str) -> tuple[bool, str, None]:
        created, now = self.secrets.created(secret_id), self.clock()
        young = sum(moment > now - DAY_SECONDS for moment in created)
        left = renewals_left(created, now, interval_seconds(self.settings.schedule_expression))
        detail = f"{young} of {VERSIONS_QUOTA} versions were written in 24 hours, and {left} are left for renewals"
        if left:
            return True, detail, None
        return False, f"{detail}. Find out what writes them or rotates more often than every 25 minutes.", None

    def _schedule(self, document: TokenDocument | None) -> tuple[bool, str, None]:
        life = document.life_seconds if document else DEFAULT_LIFE_SECONDS
        problem = schedule_problem(self.settings.schedule_expression, life, advisory_seconds(life))
        good = f"{self.settings.schedule_expression} is often enough for tokens that are valid for {life} s"
        return problem is None, problem or good, None


def _described(invocation: Invocation, document: TokenDocument, warning: str | None) -> tuple[bool, str, TokenDocument]:
    if warning:
        invocation.warn(warning)
    return True, "; ".join(filter(None, [f"valid for {document.life_seconds} s", warning])), document
