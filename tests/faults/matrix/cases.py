"""One cell of the matrix: a token secret in some state, a trigger, and what happens to both."""

from __future__ import annotations

import base64
import copy
import itertools
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from faults.invariants import InvariantBroken, Sight, Witness
from faults.matrix.columns import LIFE_SECONDS, State, Trigger
from faults.matrix.world import PREFIX, World
from local_aws.secret_versions import add_version, holder_of
from rotator.domain.errors import RotatorError
from talend_simulator import Account, fingerprint
from talend_token.document import Sensitive, TokenDocument

# The event says that the credentials changed so long ago.
_CHANGED_SECONDS_AGO = 5
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ending:
    """The ending of one invocation."""

    answer: dict[str, Any] | None
    error: BaseException | None
    token_calls: int
    output: str = field(repr=False)
    published: bool
    after: Sight = field(repr=False)

    @property
    def kind(self) -> str:
        """Return the outcome, or the class of the error."""
        return type(self.error).__name__ if self.error else str((self.answer or {}).get("outcome"))

    @property
    def problem(self) -> str:
        return str(self.error) if self.error else ""


class Case:
    """An account in a world, whose token secret is in `state`."""

    takes_shorter = True
    """Whether a token that expires earlier may replace a good one if another one is wanted."""

    def __init__(self, world: World, trigger: Trigger, state: State) -> None:
        world.begin()
        self.world, self.trigger, self.state = world, trigger, state
        self.name = f"account-{next(_numbers)}"
        self.account = world.talend.add_account(Account(name=self.name))
        self.reported: set[str] = set()
        """Fingerprints of the tokens that consumers have reported."""
        self.broken: InvariantBroken | None = None
        """The first rule that did not hold, in case the caller of AWS swallows the error."""
        self.witness = Witness(refused=lambda token: fingerprint(token) in self.reported, ends=self._ends)
        self.seconds = 60.0
        for part in ("credentials", "token"):
            world.memory.create(self.secret_id(part))
        self.store_credentials(self.account.credentials)
        self._earlier: dict[str, Any] = {}
        self._prepare(state)
        self.rejected = self._rejected()
        self.witness.by_hand(self.sight())
        world.aws.calls.clear()
        world.talend.journal.clear()
        world.aws.after_each = self.look

    # --- the secrets, by hand ---

    def secret_id(self, part: str) -> str:
        return f"{PREFIX}/{self.name}/{part}"

    def versions(self, part: str = "token") -> dict[str, Any]:
        """Return the versions of a secret by id, as `AwsMemory` keeps them."""
        return self.world.memory.secrets[self.secret_id(part)]["Versions"]  # type: ignore[no-any-return]

    def put(self, part: str, value: str | bytes, *labels: str, age_seconds: float = 0) -> None:
        """Add a version with these labels."""
        version_id, secret = str(uuid.uuid4()), self.world.memory.secrets[self.secret_id(part)]
        text = value if isinstance(value, str) else ""
        add_version(secret, version_id, text, list(labels), self.world.clock() - age_seconds)
        if isinstance(value, bytes):
            del secret["Versions"][version_id]["SecretString"]
            secret["Versions"][version_id]["SecretBinary"] = base64.b64encode(value).decode()

    def store_credentials(self, value: str | bytes) -> None:
        self.put("credentials", value, "AWSCURRENT")

    def issue(self, left_seconds: int) -> TokenDocument:
        """Return a document with a token that is valid for `left_seconds` more."""
        left, now = max(left_seconds, 0), math.floor(self.world.clock())
        token = self.world.talend.tokens.issue(self.account, left, clock_error_seconds=0, revoke_earlier=False)
        issued_at = now + left_seconds - LIFE_SECONDS
        return TokenDocument(token.access_token, "Bearer", issued_at, now + left_seconds, self.world.talend.url)

    def publish(self, published: TokenDocument | str, stages: tuple[str, ...] = ("AWSCURRENT", "AWSPENDING")) -> None:
        """Publish by hand, or stage only."""
        if isinstance(published, str):
            self.put("token", published, *stages, age_seconds=60)
        else:
            age_seconds = self.world.clock() - published.issued_at
            self.put("token", published.to_json().reveal(), *stages, age_seconds=age_seconds)
        if "AWSCURRENT" in stages:
            self.witness.by_hand(self.sight())

    def reading_earlier[T](self, serve: Callable[[], T]) -> T:
        """Return what `serve` answers while the version before is shown."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(self.world.memory.secrets[self.secret_id("token")], "Versions", self._earlier)
            return serve()

    def _prepare(self, state: State) -> None:
        if state is State.ABSENT:
            return
        self.publish(self.issue(-LIFE_SECONDS))
        self._earlier = copy.deepcopy(self.versions())
        if state is State.UNREADABLE:
            self.publish("mended by hand: see the ticket")
            return
        published = self.issue(state.seconds_left)
        if state is State.LEFT_OVER:
            self.publish(published, ("AWSCURRENT",))
            self.publish(self.issue(LIFE_SECONDS - 60), ("AWSPENDING",))
            return
        self.publish(published)
        if state is State.REJECTED:
            self.world.talend.revoke(published.access_token)

    def _rejected(self) -> tuple[str, str]:
        """Return the version that a consumer reports, and the fingerprint of its token."""
        sight = self.sight()
        token = sight.document.access_token if sight.document else "no token was published"
        return sight.version_id or str(uuid.uuid4()), fingerprint(token)

    # --- what the witness sees ---

    def sight(self) -> Sight:
        versions = self.versions()
        version_id = holder_of({"Versions": versions}, "AWSCURRENT")
        return Sight(
            at=self.world.clock(),
            version_id=version_id,
            text=Sensitive(versions[version_id]["SecretString"]) if version_id else None,
            created=tuple(version["CreatedDate"] for version in versions.values()),
        )

    def look(self) -> None:
        try:
            self.witness.look(self.sight(), wanted=self.takes_shorter and self.trigger.is_wanted)
        except InvariantBroken as broken:
            self.broken = self.broken or broken
            raise

    def is_live(self) -> bool:
        """Return whether the API accepts the published token."""
        document = self.sight().document
        return document is not None and self.world.talend.tokens.live(document.access_token) is not None

    def _ends(self, access_token: str) -> float:
        token = self.world.talend.tokens.live(access_token)
        return token.expires_at if token else math.inf

    # --- runs ---

    def run(self, trigger: Trigger | None = None) -> Ending:
        """Invoke the function that the trigger is for, and look."""
        self.trigger = trigger or self.trigger
        function, event = self.event()
        if self.trigger is Trigger.REJECTED:
            self.reported.add(self.rejected[1])
        return self.invoke(function, event)

    def invoke(self, function: str, event: dict[str, Any]) -> Ending:
        before, asked = self.sight(), len(self.world.talend.token_calls())
        answer, error = None, None
        try:
            answer = self.world.invoke(function, event, self.seconds)
        except Exception as raised:  # noqa: BLE001 (the tests compare its class)
            error = raised
        # What a test prints is searched for secrets.
        print(self.world.output.getvalue())
        self.look()
        calls = len(self.world.talend.token_calls()) - asked
        after = self.sight()
        published = after.version_id != before.version_id
        return Ending(answer, error, calls, self.world.output.getvalue(), published, after)

    def reject_what_is_published(self) -> None:
        self.rejected = self._rejected()

    def event(self) -> tuple[str, dict[str, Any]]:
        """Return the function that the trigger is for, and its event."""
        match self.trigger:
            case Trigger.REJECTED:
                return "renew", {"account": self.name, "rejected_version_id": self.rejected[0]}
            case Trigger.CREDENTIALS_CHANGED:
                changed = datetime.fromtimestamp(self.world.clock() - _CHANGED_SECONDS_AGO, UTC)
                return "rotate", {
                    "source": "aws.secretsmanager",
                    "detail-type": "Secret Label Updated",
                    "time": changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "resources": [],
                    "detail": {"name": self.secret_id("credentials"), "labelUpdated": "AWSCURRENT"},
                }
            case trigger:
                return "rotate", {"trigger": str(trigger), "account": self.name}


def is_of_the_contract(error: BaseException, account: str) -> bool:
    """Return whether it is one of the rotator's errors, names the account or its secret, and says what to do."""
    message = str(error)
    names = f"/{account}/" in message or f"account {account!r}" in message
    return isinstance(error, RotatorError) and names and re.search(r"[^.]\. [A-Z]\w+ .{10,}", message) is not None
