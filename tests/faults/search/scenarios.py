"""What is searched: which runs there are at the same time, and what is wrong meanwhile."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

ACTORS = ("schedule", "watchdog", "manual", "rejected", "changed", "consumer")
"""The triggers, an operator who stores other credentials, of which `rotate` is then notified, and a consumer: the real
client, which reads the token and has it renewed if the API rejects it."""

CHOICES: dict[str, tuple[str, ...]] = {
    # "late": the lock is taken, and its answer is lost. "outlived": it expires while its holder is still at work.
    "lock": ("up", "down", "late", "outlived"),
    # "unusable": the API rejects each token that it issues.
    "endpoint": ("answers", "refuses", "refuses-current", "repeats", "unusable"),
    # What an interrupted run has left: a token of a minute ago, or one that is nearly STALE by now. "rolled-back": an
    # operator has moved the label back from a version that was rejected. "expired": it was valid for two minutes.
    "staged": ("none", "left", "old", "rolled-back", "expired"),
    "reads": ("current", "stale"),
    # "replaced": FRESH, and consumers still have its predecessor.
    "published": ("STALE", "FRESH", "EXPIRED", "replaced", "absent"),
    # Whether versions are left for renewals today.
    "versions": ("few", "spent"),
    # Whether one run is killed, at any of its calls.
    "kill": ("none", "any"),
}


@dataclass(frozen=True)
class Scenario:
    """One world to search. As text: the actors and what is not as usual, such as `schedule manual lock=down`."""

    actors: tuple[str, ...]
    lock: str = "up"
    endpoint: str = "answers"
    staged: str = "none"
    reads: str = "current"
    published: str = "STALE"
    versions: str = "few"
    kill: str = "none"

    def __str__(self) -> str:
        unusual = [f"{name}={getattr(self, name)}" for name in CHOICES if getattr(self, name) != CHOICES[name][0]]
        return " ".join([*self.actors, *unusual])

    @classmethod
    def parse(cls, text: str) -> Scenario:
        """Read a scenario as `str` prints it."""
        words = text.split()
        unusual = dict(word.split("=") for word in words if "=" in word)
        assert all(value in CHOICES[name] for name, value in unusual.items()), text
        return cls(tuple(word for word in words if "=" not in word), **unusual)

    @property
    def is_possible(self) -> bool:
        """Nothing can be staged or rolled back before the first token, and a token is rejected before it expires."""
        return (self.published == "STALE" or self.staged == "none") and not (
            self.published == "absent" and self.is_rejected
        )

    @property
    def is_rejected(self) -> bool:
        """Whether the API rejects the first token."""
        return "rejected" in self.actors or "consumer" in self.actors


def scenarios(runs: int, unusual: int) -> Iterator[Scenario]:
    """All with that many runs, in which at most `unusual` circumstances are not as usual."""
    for actors in itertools.combinations_with_replacement(ACTORS, runs):
        for values in itertools.product(*CHOICES.values()):
            scenario = Scenario(actors, *values)
            count = sum(value != usual[0] for value, usual in zip(values, CHOICES.values(), strict=True))
            if count <= unusual and scenario.is_possible:
                yield scenario


def _fields_are_choices() -> bool:
    return [field.name for field in dataclasses.fields(Scenario)][1:] == list(CHOICES)


assert _fields_are_choices()
