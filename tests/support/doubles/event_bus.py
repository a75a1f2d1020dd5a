"""An event bus that keeps what it was told."""

from __future__ import annotations

from typing import Any

from rotator.domain.errors import EventNotSent
from rotator.domain.result import Result


class RecordingEventBus:
    """`sent` lists the events' details; `down` makes it refuse."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.down = False

    def rotated(self, result: Result) -> None:
        if self.down:
            raise EventNotSent("AccessDeniedException")
        self.sent.append(result.as_event())
