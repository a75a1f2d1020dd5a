"""The scenarios to search, which are runs at the same time and what is wrong meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

ACTORS = ("schedule", "watchdog", "manual", "rejected", "changed", "consumer")
"""The triggers, an operator who stores other credentials, of which `rotate` is then notified, and a consumer: the real
client, which reads the token and has it renewed if the API rejects it."""

CHOICES: dict[str, tuple[str, ...]] = {
    # "late": the lock is acquired, but the answer is lost. "outlived": it expires before its holder has ended.
    "lock": ("up", "down", "late", "outlived"),
    # "unusable": the API rejects each token that it issues.
    "endpoint": ("answers", "refuses", "refuses-current", "repeats", "unusable"),
    # A token that an interrupted run has left staged a minute ago ("left"), or so long ago that it is nearly STALE
    # ("old"), or that was valid for two minutes ("expired"). "rolled-back": an operator has moved the label back from a
    # version that was rejected.
    "staged": ("none", "left", "old", "rolled-back", "expired"),
    "reads": ("current", "stale"),
    # "replaced": FRESH, but consumers still have the version before.
    "published": ("STALE", "FRESH", "EXPIRED", "replaced", "absent"),
    # Whether the budget has versions left for renewals today.
    "versions": ("few", "spent"),
    # Whether one run is killed, at any of its calls.
    "kill": ("none", "any"),
}


@dataclass(frozen=True)
class Scenario:
    """One world to search. Its text has the actors and what is not as usual, such as `schedule manual lock=down`."""

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
        """False if something is staged or rolled back before the first token, or if a missing token is rejected."""
        return (self.published == "STALE" or self.staged == "none") and not (
            self.published == "absent" and self.is_rejected
        )

    @property
    def is_rejected(self) -> bool:
        """True if the API rejects the first token."""
        return "rejected" in self.actors or "consumer" in self.actors


def groups(runs: int) -> list[tuple[str, ...]]:
    """Return all groups of that many actors."""
    return list(itertools.combinations_with_replacement(ACTORS, runs))


def scenarios(actors: tuple[str, ...], unusual: int) -> Iterator[Scenario]:
    """Yield all scenarios of these actors, in which at most `unusual` circumstances are not as usual."""
    for values in itertools.product(*CHOICES.values()):
        scenario = Scenario(actors, *values)
        count = sum(value != usual[0] for value, usual in zip(values, CHOICES.values(), strict=True))
        if count <= unusual and scenario.is_possible:
            yield scenario
