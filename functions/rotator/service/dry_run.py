"""Checks every link of the chain from the credentials to the published token, and publishes nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rotator.domain.api_url import environment_of
from rotator.domain.errors import ReplacementInProgress, RotatorError, SecretStoreError
from rotator.domain.policy import TokenState, state_of
from rotator.domain.result import Check, Outcome, Result
from rotator.domain.schedule import schedule_problem
from rotator.domain.settings import Settings
from rotator.domain.token_response import DEFAULT_LIFE_SECONDS, IssuedToken
from rotator.domain.version_budget import DAY_SECONDS, VERSIONS_QUOTA, interval_seconds, renewals_left
from rotator.ports import SecretStore, SingleFlight, Verdict
from rotator.service.issuer import Issuer, Pair
from rotator.service.publisher import PUBLICATION_SECONDS, Run
from rotator.service.token_secret import Slot
from talend_token.document import TokenDocument, advisory_seconds

_NOT_REACHED = "not checked: mend what is listed before it"
_FORCE = "Force a rotation with {} and read what it answers."

_FIXES = {
    Verdict.ACCEPTED: "",
    Verdict.REFUSED: ". Such a token is not published: check the account's environment and rights.",
    Verdict.UNKNOWN: ". That tells nothing of the token, which is published all the same: check PROBE_PATH.",
}


@dataclass
class _Findings:
    """What is known so far: a link that is broken leaves the others to be checked."""

    checks: list[Check] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    token_endpoint_seconds: float | None = None

    def note[T](self, link: str, look: Callable[[], tuple[bool, str, T]]) -> T | None:
        """Look at a link, unless that fails: `look` answers if it is good, what was found, and what for."""
        try:
            ok, detail, value = look()
        except RotatorError as error:
            ok, detail, value = False, str(error), None
        self.checks.append(Check(link, ok, detail))
        return value


@dataclass(frozen=True)
class Doctor:
    """The dry run of `rotate`."""

    settings: Settings
    secrets: SecretStore
    issuer: Issuer
    single_flight: SingleFlight
    clock: Callable[[], float] = time.time
    new_version_id: Callable[[], str] = lambda: str(uuid.uuid4())

    def check(self, run: Run) -> Result:
        """One `Check` a link, in the order of the chain; those that are not good are the result's warnings, too."""
        found = _Findings()
        issued = self._token(run, found)
        published = found.note("token secret", lambda: self._published(run))
        if published is None:
            published = Slot()
            found.checks += [Check(link, False, _NOT_REACHED) for link in ("right to stage", "right to promote")]
        else:
            slot = published
            found.note("right to stage", lambda: self._may_stage(run, slot))
            found.note("right to promote", lambda: self._may_promote(run))
        found.note("key", lambda: self._key(run))
        found.note("lock table", lambda: self._lock(run))
        sent = "Cannot be known without sending one: a rotation whose event is not sent says so in its log line."
        found.note("event bus", lambda: (True, sent, None))
        found.note("version budget", lambda: self._budget(run))
        found.note("schedule", lambda: self._schedule(issued or published.document))
        broken = tuple(f"{check.link}: {check.detail}" for check in found.checks if not check.ok)
        return replace(
            run.result(Outcome.CHECKED, published),
            token_endpoint_seconds=found.token_endpoint_seconds,
            checks=tuple(found.checks),
            warnings=broken + found.warnings,
        )

    def _token(self, run: Run, found: _Findings) -> TokenDocument | None:
        pair = found.note("credentials", lambda: self._pair(run))
        if pair is None:
            found.checks += [Check(link, False, _NOT_REACHED) for link in ("token call", "token checks")]
            return None
        deadline, started = run.ends_at - PUBLICATION_SECONDS, self.clock()
        response = found.note("token call", lambda: (True, "200", self.issuer.request(pair, deadline)))
        found.token_endpoint_seconds = self.clock() - started
        if response is None:
            found.checks.append(Check("token checks", False, _NOT_REACHED))
            return None
        issued = found.note("token checks", lambda: _described(self.issuer.checked(pair, response)))
        if issued is None:
            return None
        found.warnings = issued.warnings
        probed = self.issuer.probed(issued.document, deadline)
        if probed is not None:
            found.checks.append(
                Check("probe", probed.verdict is Verdict.ACCEPTED, probed.detail + _FIXES[probed.verdict])
            )
        return issued.document

    def _pair(self, run: Run) -> tuple[bool, str, Pair]:
        pair = self.issuer.pair(run.account, self.issuer.current(run.account))
        environment = environment_of(pair.api_url)
        leads_to = f"environment {environment}" if environment else "no environment of Talend Cloud's own"
        return True, f"version {pair.version_id} leads to {pair.api_url} ({leads_to})", pair

    def _published(self, run: Run) -> tuple[bool, str, Slot]:
        published = run.secret.published()
        if not published.version_id:
            return True, f"nothing is published yet. {_FORCE}", published
        if published.document is None:
            return False, f"{TokenState.INVALID.name}: {published.warnings[0]}. {_FORCE}", published
        state = state_of(published.document, self.clock())
        left = round(published.document.remaining_seconds(self.clock()))
        detail = f"{state.name}: version {published.version_id} has {left} s left"
        if state is TokenState.INVALID:
            return False, f"{detail}. {_FORCE}", published
        return True, detail, published

    def _may_stage(self, run: Run, published: Slot) -> tuple[bool, str, None]:
        if published.document is None:
            return True, "Cannot be known without writing, as there is no token that could be written again.", None
        try:
            # What is there is put once more, which does nothing: neither does a refusal to change it.
            run.secret.stage(published.version_id, published.document)
        except SecretStoreError as error:
            if error.code != "ResourceExistsException":
                raise
        return True, "PutSecretValue is allowed: the published version was put once more, which changes nothing", None

    def _may_promote(self, run: Run) -> tuple[bool, str, None]:
        nobody = self.new_version_id()
        try:
            # There is no such version, so that no label can move. Whoever may not move one is told that first.
            self.secrets.promote(run.secret.secret_id, nobody, nobody)
        except SecretStoreError as error:
            if error.code != "ResourceNotFoundException":
                raise
        return True, "UpdateSecretVersionStage is allowed: it was asked for a version that does not exist", None

    def _key(self, run: Run) -> tuple[bool, str, None]:
        key = self.secrets.key(run.secret.secret_id) or "the AWS managed key aws/secretsmanager"
        return True, f"the token secret is encrypted by {key}; what could be read above, the key has let through", None

    def _lock(self, run: Run) -> tuple[bool, str, None]:
        nobody, nothing = self.new_version_id(), Result(Outcome.UNCHANGED, run.account, run.trigger)
        try:
            # Twice, as the second time shows that the first was released.
            for _ in range(2):
                self.single_flight.once(run.account, nobody, run.ends_at, lambda: nothing)
        except ReplacementInProgress:
            return False, "a lock was taken and not released. Check that the role has dynamodb:DeleteItem.", None
        return True, "a lock was taken and released, twice", None

    def _budget(self, run: Run) -> tuple[bool, str, None]:
        created, now = run.secret.created(), self.clock()
        young = sum(moment > now - DAY_SECONDS for moment in created)
        left = renewals_left(created, now, interval_seconds(self.settings.schedule_expression))
        detail = f"{young} of {VERSIONS_QUOTA} versions were written in 24 hours, and {left} are left for renewals"
        if left:
            return True, detail, None
        return False, f"{detail}. Find who writes them, or rotates more often than every 25 minutes.", None

    def _schedule(self, document: TokenDocument | None) -> tuple[bool, str, None]:
        life = document.life_seconds if document else DEFAULT_LIFE_SECONDS
        advisory = advisory_seconds(life)
        problem = schedule_problem(self.settings.schedule_expression, life, advisory)
        good = f"{self.settings.schedule_expression} is soon enough for tokens that live {life} s"
        return problem is None, problem or good, None


def _described(issued: IssuedToken) -> tuple[bool, str, IssuedToken]:
    return True, "; ".join([f"lives {issued.document.life_seconds} s", *issued.warnings]), issued
