"""An act of a history, and the incidents at one outside call of it. All are plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faults.histories.world import World


class Act:
    """One act. It may also happen at an outside call of another one."""

    def play(self, world: World) -> None:
        """Do it.

        Raises:
            InvariantBroken: a rule does not hold.
        """
        raise NotImplementedError


class Named(StrEnum):
    """Its members print as they are written in code, so that a history that hypothesis prints can be kept."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


@dataclass(frozen=True)
class Fail:
    """The call fails with one of its port's errors. If `lost` is True, only its answer is lost."""

    error: int = 0
    lost: bool = False


@dataclass(frozen=True)
class Die:
    """The process is killed, before or after the call."""

    after: bool = False


@dataclass(frozen=True)
class Slow:
    """The call takes that long, and whatever is due meanwhile happens."""

    seconds: int = 20


@dataclass(frozen=True)
class Stale:
    """A read shows the version before, if it was replaced a moment ago."""


@dataclass(frozen=True)
class Meanwhile:
    """An act happens just before the call."""

    act: Act


type Incident = Fail | Die | Slow | Stale | Meanwhile
type Plan = Mapping[int, Incident]
"""The incidents by the number of the outside call at which they happen, counted from 0."""
