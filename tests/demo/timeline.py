"""Prints what happens in the demonstration, without showing a token."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from threading import Event
from typing import Any


class Timeline:
    """Prints what happens, with the time that has passed at Talend since `begin`."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._started = 0.0

    def begin(self) -> None:
        """Start the clock, and print the heading."""
        self._started = time.time()
        self.text("\nat Talend  who                 what")

    def event(self, who: str, what: str, when: float | None = None) -> None:
        """Print an event that happened at `when` (seconds since the epoch, by default now)."""
        self.text(f"{self.minutes((when or time.time()) - self._started)}  {who:<18}  {what}")

    def text(self, text: str = "") -> None:
        """Print lines without a time, and not inside a line of another thread."""
        print(f"{text}\n", end="", flush=True)

    def minutes(self, seconds: float) -> str:
        """Return a duration as `mm:ss` of Talend's time."""
        minutes, rest = divmod(int(seconds * self._speed), 60)
        return f"{minutes:02d}:{rest:02d}"


class DecisionLog:
    """Follows the functions' log groups and shows each decision that they log."""

    def __init__(self, logs: Any, log_groups: Sequence[str], timeline: Timeline) -> None:
        self._logs = logs
        self._log_groups = log_groups
        self._timeline = timeline
        self._seen: set[str] = set()
        self._decisions: list[dict[str, Any]] = []

    def follow(self, stopping: Event) -> None:
        """Show new lines until stopped, and then the remaining ones."""
        stopped = False
        while not stopped:
            stopped = stopping.wait(0.3)
            for group in self._log_groups:
                for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                    for event in page["events"]:
                        self._show(event)

    def published(self, trigger: str | None = None) -> list[dict[str, Any]]:
        """Return the decisions that published a token, of all triggers or of one."""
        return [line for line in self._decisions if line["message"] == "rotated" and trigger in (None, line["trigger"])]

    def _show(self, event: dict[str, Any]) -> None:
        if event["eventId"] in self._seen or not event["message"].startswith("{"):
            return
        self._seen.add(event["eventId"])
        line = json.loads(event["message"])
        # The function's own lines have a trigger; the platform's and the metrics' lines have none. Runs before
        # there were credentials are not part of the story.
        if "trigger" not in line or line["message"] == "waiting_for_credentials":
            return
        self._decisions.append(line)
        rejected = line["trigger"] == "rejected"
        version, left = short(line.get("version_id")), self._timeline.minutes(line.get("remaining_seconds", 0))
        match line["message"]:
            case "failed":
                what = f"FAILED: {line['problem']}"
            case "rotated":
                what = f"published version {version}, valid for {left}"
            case _ if rejected:
                return
            case outcome:
                what = f"{outcome}: version {version}, valid for {left}"
        who = "renew" if rejected else f"rotate ({line['trigger']})"
        self._timeline.event(who, what, event["timestamp"] / 1000)


def short(version_id: str | None) -> str:
    """Return the first characters of a version id, which are enough to distinguish versions."""
    return (version_id or "-")[:8]
