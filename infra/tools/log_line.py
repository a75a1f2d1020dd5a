"""One log line of the functions, with the members that the specification of their log uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

FAILED = "failed"
LOST = "lost"
"""The run was stopped before it could write its line, or the line cannot be read."""
SEEN = "seen"
"""Not a run, but a direct read of the token secret."""


@dataclass(frozen=True)
class Line:
    """The log line of one run, or one read of a token secret. Times are seconds since the epoch."""

    began: float
    at: float
    outcome: str
    """A value of `Outcome`, or FAILED, LOST or SEEN."""
    account: str = "default"
    """Empty if the line does not say."""
    service: str = ""
    trigger: str = ""
    version_id: str | None = None
    """The published version, as far as the run knows."""
    remaining_seconds: int | None = None
    """For how much longer the published token is valid, counted from `at`."""
    reason: str | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()
    text: str = field(default="", compare=False)
    """The line as it was written."""

    @classmethod
    def of(cls, record: Mapping[str, Any], at: float, text: str = "") -> Line:
        """Parse a line that `rotator.adapters.telemetry` has written."""
        return cls(
            began=at - float(record.get("duration_seconds") or 0),
            at=at,
            outcome=str(record["message"]),
            account=record.get("account") or "",
            service=str(record.get("service", "")),
            trigger=str(record.get("trigger", "")),
            version_id=record.get("version_id"),
            remaining_seconds=record.get("remaining_seconds"),
            reason=record.get("reason"),
            error=str(record.get("error", "")),
            warnings=tuple(record.get("warnings") or ()),
            text=text,
        )

    @property
    def expires_at(self) -> float | None:
        """When the published token expires; None if it has expired or the line does not say."""
        return self.at + self.remaining_seconds if self.version_id and self.remaining_seconds else None


class Impossible(Exception):
    """A line that the functions cannot have written, given the other lines."""

    def __init__(self, line: Line, why: str) -> None:
        super().__init__(why)
        self.line = line
        self.why = why
