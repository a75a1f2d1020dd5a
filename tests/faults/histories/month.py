"""A month: the schedule, the watchdog, consumers, and now and then what goes wrong in a month, drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from faults.histories.acts import (
    Call,
    ChangeCredentials,
    Pass,
    Restart,
    Revoke,
    RollBack,
    Rotate,
    play,
)
from faults.histories.incidents import Act, Die, Fail, Incident, Meanwhile, Slow, Stale
from faults.histories.weather import Heal, Turn, Weather
from faults.histories.world import World
from rotator.domain.invocation import Trigger

DAY_SECONDS = 86_400
_CALLS_EVERY_SECONDS = 300


@dataclass
class Month:
    """Days in a world, which heals after each trouble. `versions` are the most that there were within 24 hours."""

    seed: int
    consumers: int = 3
    versions: int = 0

    def play(self, days: int = 30) -> World:
        """Each day something goes wrong a few times, for minutes or hours, and is repaired without an operator."""
        draw = random.Random(self.seed)
        world = World(consumers=self.consumers, watchdog_phase=draw.randrange(60))
        for _ in range(days):
            ends = world.now() + DAY_SECONDS
            for at in sorted(draw.uniform(0, DAY_SECONDS) for _ in range(draw.randint(2, 8))):
                pause = ends - DAY_SECONDS + at - world.now()
                if pause > 1:
                    play(world, [Pass(int(pause), _CALLS_EVERY_SECONDS)])
                play(world, [*_episode(draw, self.consumers), Heal()])
                self._count(world)
            if ends > world.now() + 1:
                play(world, [Pass(int(ends - world.now()), _CALLS_EVERY_SECONDS)])
            self._count(world)
        return world

    def _count(self, world: World) -> None:
        created = world.sight().created
        self.versions = max(self.versions, sum(moment > world.system.clock() - DAY_SECONDS for moment in created))


def _episode(draw: random.Random, consumers: int) -> list[Act]:
    """Something that happens in a month."""
    consumer = draw.randrange(consumers)
    plan = {draw.randrange(12): _incident(draw) for _ in range(draw.randint(0, 2))}
    weather = draw.choice([weather for weather in Weather if weather is not Weather.SHORT])
    return draw.choice(
        [
            [Revoke()],
            [Revoke(), Call(consumer, plan)],
            [Rotate(Trigger.MANUAL, plan)],
            [Rotate(Trigger.MANUAL, plan, dry_run=True)],
            [Rotate(Trigger.WATCHDOG, plan)],
            [Restart(consumer), Call(consumer, plan)],
            [RollBack()],
            [ChangeCredentials(plan=plan)],
            [Turn(weather), Pass(draw.randint(60, 7200), _CALLS_EVERY_SECONDS), Turn(weather, bad=False)],
        ]
    )


def _incident(draw: random.Random) -> Incident:
    incidents: list[Incident] = [
        Fail(draw.randrange(8), lost=draw.random() < 0.5),
        Die(after=draw.random() < 0.5),
        Slow(draw.choice([2, 20, 65])),
        Stale(),
        Meanwhile(Revoke()),
        Meanwhile(RollBack()),
    ]
    return draw.choice(incidents)
