"""An account of its own for each experiment with a kill, at a time that the experiment moves."""

from __future__ import annotations

import json
import time
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import floor
from types import TracebackType
from typing import Any, Literal, Self

from faults.crashes.crash import Functions, Invocation, Kill
from faults.invariants import Sight, Witness
from local_aws import LocalAWS
from log_line import LOST, Line
from talend_simulator import TOKEN_LIFE_SECONDS, Account, Answer, TalendSimulator, fingerprint
from talend_token.document import Sensitive, TokenDocument

type Trigger = Literal["schedule", "watchdog", "manual", "rejected", "credentials changed"]
type State = Literal["absent", "FRESH", "STALE", "EXPIRED"]

PREFIX, TABLE, PROBE_PATH = "crash", "crash-locks", "/account/users"
# FRESH is too old to be the same tick again, and STALE has been so for two minutes.
AGE_SECONDS: dict[State, int] = {"FRESH": 600, "STALE": 1620, "EXPIRED": 1860}
OLD, NEW = Account("old-id", "old-secret"), Account("new-id", "new-secret")


class Surroundings:
    """Both functions in processes that can be killed, beside a local AWS and a Talend whose clock can be ahead."""

    def __init__(self, aws: LocalAWS) -> None:
        self.secrets = aws.client("secretsmanager")
        self.ahead_seconds = 0.0
        self.talend = TalendSimulator([OLD, NEW], clock=self.now)
        self._aws = aws
        self._functions: dict[str, Functions] = {}
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        self._aws.client("dynamodb").create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        self._resources.callback(self._aws.client("dynamodb").delete_table, TableName=TABLE)
        self._resources.enter_context(self.talend)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.close()

    def now(self) -> float:
        return time.time() + self.ahead_seconds

    def functions(self, probe_path: str = "") -> Functions:
        """The functions as deployed with that probe path."""
        if probe_path not in self._functions:
            settings = {
                "SECRET_PREFIX": PREFIX,
                "TALEND_API_URL": self.talend.url,
                "CREDENTIALS_SECRET": "",
                "SCHEDULE_EXPRESSION": "rate(25 minutes)",
                "LOCK_TABLE": TABLE,
                "PROBE_PATH": probe_path,
                "STACK_NAME": PREFIX,
            }
            functions = self._resources.enter_context(Functions(self._aws.environment() | settings))
            self._functions[probe_path] = functions
        return self._functions[probe_path]


@dataclass(frozen=True)
class Scenario:
    """What is published when the run begins that is to be killed, and what sets that run off."""

    trigger: Trigger
    state: State
    probe_path: str = ""
    refused_before: bool = False
    """The last run, a minute ago, was refused: the circuit is about to be half open."""
    current_pair_refused: bool = False
    """The token is asked for twice: with the current pair, and then with the previous one."""

    def __str__(self) -> str:
        details = {
            "with a probe": self.probe_path,
            "after a refusal": self.refused_before,
            "with a current pair that is refused": self.current_pair_refused,
        }
        return ", ".join([f"{self.trigger} of {self.state}", *(name for name, there in details.items() if there)])


@dataclass
class Scene:
    """One scenario, played once. Whatever is invoked, a witness looks at the token secret afterwards."""

    surroundings: Surroundings
    scenario: Scenario
    witness: Witness = field(default_factory=Witness)
    account: str = field(default_factory=lambda: f"crash-{uuid.uuid4()}")
    lines: list[Line] = field(default_factory=list)
    """What the functions have logged."""

    def __post_init__(self) -> None:
        self._prepare_credentials()
        self._secrets.create_secret(Name=self.token_secret)
        self._issue_before()
        if self.scenario.refused_before:
            self.at(-61)
            self.surroundings.talend.faults.add(Answer(401), times=1)
            assert self._invoke("rotate", self._rotation("watchdog")).error
        self.at(0)
        self._first_call = len(self.surroundings.talend.token_calls())
        self.event = self._event()
        self.witness.ends = self._ends
        sight = self._sight()
        self._by_hand = len(sight.created)
        self.witness.by_hand(sight)

    @property
    def token_secret(self) -> str:
        return f"{PREFIX}/{self.account}/token"

    @property
    def published(self) -> TokenDocument | None:
        assert self.witness.last is not None
        return self.witness.last.document

    @property
    def tokens_issued(self) -> int:
        """How many tokens were handed out since the scene began."""
        calls = self.surroundings.talend.token_calls()[self._first_call :]
        return sum(1 for call in calls if call.status == 200)

    @property
    def versions(self) -> int:
        """How many versions were written since the scene began."""
        assert self.witness.last is not None
        return len(self.witness.last.created) - self._by_hand

    @property
    def client_of_published(self) -> str | None:
        """Whose live token is published."""
        token = self.surroundings.talend.tokens.live(self.published.access_token) if self.published else None
        return token.client_id if token else None

    def at(self, seconds: float) -> None:
        """It is now that much later than when the scene began."""
        self.surroundings.ahead_seconds = seconds

    def begin(self, kill: Kill | None = None) -> Invocation:
        """What the scenario is about, and again if it is said twice."""
        return self.invoke(*self.event, kill=kill)

    def invoke(self, function: str, event: dict[str, Any], kill: Kill | None = None) -> Invocation:
        """Invoke a function, and then look: what its answer says is published must be."""
        invocation = self._invoke(function, event, kill)
        sight = self._sight()
        self.witness.look(sight)
        # Who is told that another run is at it is told of the version that was there before.
        if invocation.answer and invocation.outcome != "in_progress":
            assert invocation.answer["version_id"] == sight.version_id, "the answer names what is not published"
        return invocation

    def watchdog(self) -> Invocation:
        return self.invoke("rotate", self._rotation("watchdog"))

    def manual(self) -> Invocation:
        return self.invoke("rotate", self._rotation("manual"))

    def renewal(self) -> Invocation:
        """A consumer has read what is published, and the API did not take it."""
        return self.invoke("renew", self._renewal())

    def _invoke(self, function: str, event: dict[str, Any], kill: Kill | None = None) -> Invocation:
        functions, began = self.surroundings.functions(self.scenario.probe_path), self.surroundings.now()
        invocation = functions.invoke(function, event, ahead_seconds=self.surroundings.ahead_seconds, kill=kill)
        at, records = self.surroundings.now(), map(json.loads, invocation.log.splitlines())
        lines = [Line.of(record, at) for record in records if "duration_seconds" in record]
        self.lines += lines or [Line(began, at, LOST, self.account)]
        return invocation

    @property
    def _secrets(self) -> Any:
        return self.surroundings.secrets

    def _prepare_credentials(self) -> None:
        name = f"{PREFIX}/{self.account}/credentials"
        self._secrets.create_secret(Name=name, SecretString=OLD.credentials)
        if self.scenario.current_pair_refused:
            self._secrets.put_secret_value(SecretId=name, SecretString=f"{OLD.client_id}:mistyped")
        if self.scenario.trigger == "credentials changed":
            self._secrets.put_secret_value(SecretId=name, SecretString=NEW.credentials)

    def _issue_before(self) -> None:
        if self.scenario.state == "absent":
            return
        self.at(-AGE_SECONDS[self.scenario.state])
        talend = self.surroundings.talend
        issued_at = floor(self.surroundings.now())
        token = talend.tokens.issue(OLD, TOKEN_LIFE_SECONDS, clock_error_seconds=0, revoke_earlier=False)
        document = TokenDocument(
            token.access_token, "Bearer", issued_at, issued_at + TOKEN_LIFE_SECONDS, api_url=talend.url
        )
        # As every complete run leaves them.
        self._secrets.put_secret_value(
            SecretId=self.token_secret,
            SecretString=document.to_json().reveal(),
            VersionStages=["AWSCURRENT", "AWSPENDING"],
        )

    def _event(self) -> tuple[str, dict[str, Any]]:
        if self.scenario.trigger == "rejected":
            return "renew", self._renewal()
        if self.scenario.trigger == "credentials changed":
            changed = datetime.fromtimestamp(self.surroundings.now() - 2, UTC)
            return "rotate", {
                "detail-type": "Secret Label Updated",
                "source": "aws.secretsmanager",
                "time": changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "detail": {"name": f"{PREFIX}/{self.account}/credentials", "labelUpdated": "AWSCURRENT"},
            }
        return "rotate", self._rotation(self.scenario.trigger)

    def _rotation(self, trigger: str) -> dict[str, Any]:
        return {"trigger": trigger, "account": self.account}

    def _renewal(self) -> dict[str, Any]:
        sight = self._sight()
        return {"account": self.account, "rejected_version_id": sight.version_id or str(uuid.uuid4())}

    def _versions(self) -> list[dict[str, Any]]:
        answer = self._secrets.list_secret_version_ids(SecretId=self.token_secret, IncludeDeprecated=True)
        versions: list[dict[str, Any]] = answer.get("Versions", [])
        return versions

    def _sight(self) -> Sight:
        versions = self._versions()
        created = tuple(version["CreatedDate"].timestamp() for version in versions)
        if not any("AWSCURRENT" in version.get("VersionStages", []) for version in versions):
            return Sight(self.surroundings.now(), None, None, created)
        current = self._secrets.get_secret_value(SecretId=self.token_secret)
        return Sight(self.surroundings.now(), current["VersionId"], Sensitive(current["SecretString"]), created)

    def _ends(self, access_token: str) -> float:
        token = self.surroundings.talend.tokens.live(access_token)
        assert token is not None, f"{fingerprint(access_token)} is no token of this Talend, or has expired"
        return token.expires_at
