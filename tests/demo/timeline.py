"""Prints what happens in the demonstration, without showing a token."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any, TextIO


class Timeline:
    """Prints what happens, with the time that has passed at Talend since `begin`."""

    def __init__(self, speed: float, stream: TextIO = sys.stdout) -> None:
        self._speed = speed
        self._stream = stream
        self._started: float | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start the clock."""
        self._started = time.time()

    def step(self, text: str) -> None:
        """Print one step of the setup."""
        self._print(f"==> {text}")

    def event(self, who: str, what: str, when: float | None = None) -> None:
        """Print an event that happened at `when` (seconds since the epoch, by default now)."""
        self._print(f"{self.talend_time(when or time.time())}  {who:<18}  {what}")

    def text(self, text: str = "") -> None:
        """Print a line without a time."""
        self._print(text)

    def talend_time(self, when: float) -> str:
        """Return the minutes and seconds of Talend's time between `begin` and `when`."""
        return minutes((when - (self._started or when)) * self._speed)

    def _print(self, line: str) -> None:
        with self._lock:
            print(line, file=self._stream, flush=True)


def minutes(seconds: float) -> str:
    """Return `mm:ss`."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


class DecisionLog(threading.Thread):
    """Follows a function's log group and shows each decision that it logs."""

    def __init__(self, logs: Any, log_group: str, timeline: Timeline, speed: float) -> None:
        super().__init__(name="decision log", daemon=True)
        self._logs = logs
        self._log_group = log_group
        self._timeline = timeline
        self._speed = speed
        self._seen: set[str] = set()
        self._stopping = threading.Event()
        self.decisions: list[dict[str, Any]] = []

    def run(self) -> None:
        """Poll until stopped."""
        while not self._stopping.wait(0.3):
            self.poll()

    def poll(self) -> None:
        """Show the new lines."""
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=self._log_group)
        for event in (event for page in pages for event in page["events"]):
            if event["eventId"] not in self._seen:
                self._seen.add(event["eventId"])
                self._show(event)

    def _show(self, event: dict[str, Any]) -> None:
        try:
            line = json.loads(event["message"])
        except ValueError:
            return
        # The function's own lines have a trigger; the platform's and the metrics' lines have none. Runs before
        # there were credentials are not part of the story.
        if "trigger" not in line or line["message"] == "waiting_for_credentials":
            return
        self.decisions.append(line)
        when = event["timestamp"] / 1000
        rejected = line["trigger"] == "rejected"
        who = "renew" if rejected else f"rotate ({line['trigger']})"
        if line["message"] == "failed":
            self._timeline.event(who, f"FAILED: {line['problem']}", when)
            return
        version, left = short(line.get("version_id")), minutes(line.get("remaining_seconds", 0) * self._speed)
        if line["message"] == "rotated":
            self._timeline.event(who, f"published version {version}, valid for {left}", when)
        elif not rejected:
            self._timeline.event(who, f"{line['message']}: version {version}, valid for {left}", when)

    def stop(self) -> None:
        """Stop, and show the remaining lines."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self.join()
        self.poll()


def short(version_id: str | None) -> str:
    """Return the first characters of a version id, which are enough to distinguish versions."""
    return (version_id or "-")[:8]
