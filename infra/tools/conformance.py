"""Check an export of the functions' logs against their specification: `make conformance LOG=...`.

The export is the output of `aws logs filter-log-events` for one log group, or for several in one file. Its lines may be
out of order, repeated or truncated, and the file may end in the middle of a line. The exit status is 1 if the functions
cannot have written a line, given the others, and 2 if there is nothing to check.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from log_line import FAILED, LOST, Impossible, Line
from log_specification import check
from rotator.domain.result import Outcome

_SERVICES = ("rotate", "renew")
# The longest time that a run can take.
_RUN_SECONDS = 60


@dataclass
class Log:
    """The content of an export."""

    lines: list[Line] = field(default_factory=list)
    doubled: int = 0
    truncated: int = 0
    ended: dict[str, Line] = field(default_factory=dict)
    """The end of each run as Lambda itself reports it, by request id."""
    requests: set[str] = field(default_factory=set)
    """The ids of the requests for which the functions have written a line."""


def read_log(text: str) -> Log:
    """Parse an export.

    Raises:
        Impossible: a line has a message that the functions do not write.
    """
    log, seen = Log(), set()
    for event in _events(text):
        message, at = str(event.get("message", "")).strip(), float(event.get("timestamp", 0)) / 1000
        if not message.startswith("{"):
            continue
        if message in seen:
            log.doubled += 1
            continue
        seen.add(message)
        try:
            record = json.loads(message)
        except ValueError:
            log.truncated += 1
            log.lines.append(Line(at - _RUN_SECONDS, at, LOST, "", text=message))
            continue
        _note(log, record, at, message)
    log.lines += [line for request, line in log.ended.items() if request not in log.requests]
    return log


def check_log(log: Log) -> None:
    """Check a log against the specification.

    Raises:
        Impossible: a line cannot have been written. The error holds the line and the reason.
    """
    for request, line in log.ended.items():
        # The missing line may be a truncated one.
        if request not in log.requests and line.outcome != LOST and not log.truncated:
            raise Impossible(line, "the run has ended well, but its line is missing")
    check(line for line in log.lines if line.outcome != _ENDED_WELL)


_ENDED_WELL = "ended well"


def _events(text: str) -> Iterator[dict[str, Any]]:
    """Yield every object with a message from any number of JSON documents, which may be incomplete."""
    decoder, place = json.JSONDecoder(), 0
    while (place := text.find("{", place)) >= 0:
        try:
            found, place = decoder.raw_decode(text, place)
        except ValueError:
            # An array may be incomplete, but its members may still be complete.
            place += 1
            continue
        if "message" in found:
            yield found
        else:
            yield from (event for event in found.get("events", []) if isinstance(event, dict))


def _note(log: Log, record: dict[str, Any], at: float, message: str) -> None:
    kind = record.get("type")
    if kind == "platform.report":
        report = record.get("record", {})
        outcome = _ENDED_WELL if report.get("status") == "success" else LOST
        began = at - report.get("metrics", {}).get("durationMs", 0) / 1000
        log.ended[report.get("requestId", "")] = Line(began, at, outcome, "", text=message)
    elif record.get("service") in _SERVICES and "duration_seconds" in record:
        at = _timestamp(record, at)
        line = Line.of(record, at, message)
        if line.outcome not in {FAILED, *map(str, Outcome)}:
            raise Impossible(line, f"the functions have no message {line.outcome!r}")
        log.requests.add(str(record.get("function_request_id", "")))
        log.lines.append(line)


def _timestamp(record: dict[str, Any], at: float) -> float:
    try:
        return datetime.fromisoformat(record["timestamp"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return at


def main() -> int:
    """Print whether the log is accepted; return the exit status."""
    parser = argparse.ArgumentParser(description="Check an export of the functions' logs.")
    parser.add_argument("log", type=Path, help="the output of `aws logs filter-log-events`")
    text = parser.parse_args().log.read_text(errors="replace")
    try:
        log = read_log(text)
        if not log.requests:
            print("There is no line of the functions in this file.", file=sys.stderr)
            return 2
        check_log(log)
    except Impossible as impossible:
        print(f"This line cannot have happened: {impossible.why}.\n{impossible.line.text}")
        return 1
    runs = sum(line.outcome != LOST for line in log.lines)
    accounts = sorted({line.account for line in log.lines if line.account})
    print(f"Accepted: {runs} runs for {', '.join(accounts) or 'no account'}.")
    print(f"{log.doubled} lines were doubled, and {log.truncated} were truncated.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
