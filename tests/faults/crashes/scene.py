"""A case of the matrix whose runs can be killed, at a time that the experiment moves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, override

from faults.crashes.process import Kill, Run, run
from faults.matrix.cases import Case
from faults.matrix.columns import State, Trigger
from faults.matrix.world import World
from log_line import LOST, Line
from talend_simulator import Answer
from talend_token.document import TokenDocument

WITH_A_PROBE = "with a probe"
# The last run, a minute ago, was refused, so that the circuit is about to be half open.
AFTER_A_REFUSAL = "after a refusal"
# The token is requested twice, first with the current pair and then with the previous one.
REFUSED_PAIR = "with a current pair that is refused"
# As in the template.
FUNCTION_SECONDS = {"rotate": 60, "renew": 30}
# A machine that is busy answers late.
_PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Scenario:
    """The trigger of the run that is to be killed, and what it finds."""

    trigger: Trigger
    state: State
    detail: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, [f"{self.trigger} of {self.state}", self.detail]))


class Scene(Case):
    """One scenario, played once. The witness looks at the token secret after each call of AWS."""

    takes_shorter = False

    def __init__(self, world: World, scenario: Scenario) -> None:
        super().__init__(world, scenario.trigger, scenario.state)
        world.with_sockets(_PATIENCE_SECONDS)
        if scenario.detail == WITH_A_PROBE:
            world.with_environment(PROBE_PATH="/account/users")
        self.lines: list[Line] = []
        if scenario.detail == REFUSED_PAIR:
            self.store_credentials(f"{self.account.client_id}:mistyped")
        if scenario.detail == AFTER_A_REFUSAL:
            world.talend.faults.add(Answer(401), times=1)
            assert self.act(Trigger.WATCHDOG).error
            world.tick()
        if self.trigger is Trigger.CREDENTIALS_CHANGED:
            self.account = world.talend.add_account()
            self.store_credentials(self.account.credentials)
        self._first = self.event()
        self._made = len(self.versions())

    @property
    def published(self) -> TokenDocument | None:
        return self.sight().document

    @property
    def tokens_issued(self) -> int:
        """Return the number of tokens that the token endpoint has issued since the scene began."""
        return sum(call.status == 200 for call in self.world.talend.token_calls())

    @property
    def versions_made(self) -> int:
        return len(self.versions()) - self._made

    @property
    def client_of_published(self) -> str | None:
        """Return whose token is published, if it works."""
        token = self.world.talend.tokens.live(self.published.access_token) if self.published else None
        return token.client_id if token else None

    def begin(self, kill: Kill | None = None) -> Run:
        """Run what the scenario is about, or its duplicate."""
        return self._invoke(*self._first, kill)

    def act(self, trigger: Trigger) -> Run:
        """Run the function that the trigger is for. A consumer has read what is published now."""
        self.trigger = trigger
        self.reject_what_is_published()
        return self._invoke(*self.event())

    def _invoke(self, function: str, event: dict[str, Any], kill: Kill | None = None) -> Run:
        world, began = self.world, self.world.clock()
        seconds = FUNCTION_SECONDS[function]
        went = run(lambda: world.invoke(function, event, seconds), world.output.getvalue, kill)
        if self.broken:
            raise self.broken
        sight, records = self.sight(), [json.loads(line) for line in went.log.splitlines()]
        # A run that meets another one answers with the version that it has found.
        if went.answer and went.outcome != "in_progress":
            assert went.answer["version_id"] == sight.version_id, "the answer names what is not published"
        lines = [Line.of(record, sight.at) for record in records if "duration_seconds" in record]
        self.lines += lines or [Line(began, sight.at, LOST, self.name)]
        return went

    @override
    def _ends(self, access_token: str) -> float:
        token = self.world.talend.tokens.live(access_token)
        assert token is not None, "the published token is not of this Talend, or has expired"
        return token.expires_at
