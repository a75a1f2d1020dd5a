"""The state machine: hypothesis draws histories of acts, with further acts and incidents at their outside calls."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from faults.histories.acts import (
    Act,
    ByHand,
    Call,
    ChangeCredentials,
    ClockJump,
    DeleteAccounts,
    Die,
    DryRun,
    Fail,
    Force,
    FunctionClockJump,
    Heal,
    LateRenewal,
    Meanwhile,
    Nap,
    Odd,
    Oddity,
    Pair,
    Pass,
    PutByHand,
    Restart,
    Revoke,
    RollBack,
    Slow,
    Stale,
    Tick,
    Turn,
    Weather,
)
from faults.histories.players import Players
from faults.histories.world import World
from rotator.domain.invocation import Trigger

CONSUMERS = 3
# A replacement has some ten outside calls, and a consumer's call that has one made a few more.
_CALLS = 12
_CONSUMERS = st.integers(0, CONSUMERS - 1)
_DUE = st.sampled_from([Trigger.WATCHDOG, Trigger.SCHEDULE])
_JUMPS = st.sampled_from([-100_000, -900, -290, -60, -1, 1, 60, 400, 2000, 100_000])
_LAPSES = st.sampled_from([1, 5, 30, 60, 61, 240, 600, 1440, 1500, 1800, 3000])

_at_a_call: st.SearchStrategy[Any] = st.one_of(
    st.builds(Fail, st.integers(0, 7), st.booleans()),
    st.builds(Die, st.booleans()),
    st.builds(Slow, st.sampled_from([2, 10, 20, 45, 65])),
    st.just(Stale()),
    st.builds(Odd, st.sampled_from(Oddity)),
)


def _plans(within: st.SearchStrategy[Any] | None) -> st.SearchStrategy[Any]:
    incidents = _at_a_call | st.builds(Meanwhile, within) if within is not None else _at_a_call
    return st.dictionaries(st.integers(0, _CALLS), incidents, max_size=3)


def _acts(plans: st.SearchStrategy[Any]) -> st.SearchStrategy[Act]:
    """What may happen within another act."""
    return st.one_of(
        st.builds(Tick, _DUE, plans),
        st.builds(Call, _CONSUMERS, plans),
        st.builds(Force, plans),
        st.builds(Revoke),
        st.builds(RollBack),
        st.builds(ChangeCredentials, st.sampled_from(Pair), st.booleans(), plans),
        st.builds(DeleteAccounts),
        st.builds(Turn, st.sampled_from(Weather), st.booleans()),
        st.builds(PutByHand, st.sampled_from(ByHand)),
    )


_plan = _plans(_acts(_plans(_acts(_plans(None)))))


class Machine(RuleBasedStateMachine):
    """One rule for each kind of act; the world checks what must hold after each and in between."""

    acts = 0
    outside_calls = 0

    @initialize(watchdog_phase=st.sampled_from([0, 1, 30, 59]), probe=st.booleans())
    def begin(self, watchdog_phase: int, probe: bool) -> None:
        self.players = Players(World(consumers=CONSUMERS, watchdog_phase=watchdog_phase, probe=probe))
        self.players.do(Pass(1))

    def teardown(self) -> None:
        if hasattr(self, "players"):
            type(self).outside_calls += self.players.world.outside.count
            self._do(Heal())

    def _do(self, act: Act) -> None:
        type(self).acts += 1
        self.players.do(act)

    @rule(trigger=_DUE, plan=_plan)
    def tick(self, trigger: Trigger, plan: Any) -> None:
        self._do(Tick(trigger, plan))

    @rule(consumer=_CONSUMERS, plan=_plan)
    def call(self, consumer: int, plan: Any) -> None:
        self._do(Call(consumer, plan))

    @rule(consumer=_CONSUMERS, plan=_plan)
    def call_with_a_revoked_token(self, consumer: int, plan: Any) -> None:
        self._do(Revoke())
        self._do(Call(consumer, plan))

    @rule(plan=_plan)
    def late_renewal(self, plan: Any) -> None:
        self._do(LateRenewal(plan))

    @rule(plan=_plan)
    def force(self, plan: Any) -> None:
        self._do(Force(plan))

    @rule(plan=_plan)
    def dry_run(self, plan: Any) -> None:
        self._do(DryRun(plan))

    @rule()
    def revoke(self) -> None:
        self._do(Revoke())

    @rule()
    def roll_back(self) -> None:
        self._do(RollBack())

    @rule(what=st.sampled_from(ByHand))
    def put_by_hand(self, what: ByHand) -> None:
        self._do(PutByHand(what))

    @rule(pair=st.sampled_from(Pair), told=st.booleans(), plan=_plan)
    def change_credentials(self, pair: Pair, told: bool, plan: Any) -> None:
        self._do(ChangeCredentials(pair, told, plan))

    @rule()
    def delete_accounts(self) -> None:
        self._do(DeleteAccounts())

    @rule(consumer=_CONSUMERS)
    def restart(self, consumer: int) -> None:
        self._do(Restart(consumer))

    @rule(consumer=_CONSUMERS, seconds=_JUMPS)
    def clock_jump(self, consumer: int, seconds: int) -> None:
        self._do(ClockJump(consumer, seconds))

    @rule(consumer=_CONSUMERS, seconds=_LAPSES)
    def nap(self, consumer: int, seconds: int) -> None:
        self._do(Nap(consumer, seconds))

    @rule(seconds=st.integers(-2, 2))
    def function_clock_jump(self, seconds: int) -> None:
        self._do(FunctionClockJump(seconds))

    @rule(weather=st.sampled_from(Weather), bad=st.booleans())
    def turn(self, weather: Weather, bad: bool) -> None:
        self._do(Turn(weather, bad))

    @rule(seconds=_LAPSES)
    def let_time_pass(self, seconds: int) -> None:
        self._do(Pass(seconds))

    @rule(
        hours=st.sampled_from([1, 1, 2, 3, 24]),
        calls_every=st.sampled_from([0, 300]),
        revoked_every=st.sampled_from([0, 300, 3600]),
    )
    def let_hours_pass(self, hours: int, calls_every: int, revoked_every: int) -> None:
        self._do(Pass(hours * 3600, calls_every, revoked_every))

    @rule()
    def heal(self) -> None:
        self._do(Heal())
