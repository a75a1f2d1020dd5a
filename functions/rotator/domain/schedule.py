"""Computes how often a schedule fires, and whether that is often enough for a token."""

from __future__ import annotations

import re
from itertools import pairwise

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
# The average for `cron(0/25 * * * ? *)`, which leaves gaps of 25, 25 and 10 minutes.
_CRON_INTERVAL_SECONDS = 1200
_STEP = re.compile(r"cron\((\d{1,2}|\*)/(\d{1,2}) .*\)")
_HOUR_MINUTES = 60
# rate(1 minute) [EventBridge Scheduler user guide, rate-based schedules].
_SHORTEST_RATE_SECONDS = 60


def interval_seconds(schedule_expression: str) -> int:
    """Return the seconds between two runs of a schedule: exact for `rate(...)`, 20 minutes for anything else."""
    rate = _RATE.fullmatch(schedule_expression)
    return int(rate[1]) * _UNIT_SECONDS[rate[2]] if rate else _CRON_INTERVAL_SECONDS


def gaps_minutes(schedule_expression: str) -> list[int]:
    """Return the gaps in minutes that a `cron(start/step ...)` leaves in an hour; an empty list for anything else."""
    match = _STEP.fullmatch(schedule_expression)
    if not match or not int(match[2]):
        return []
    ticks = list(range(0 if match[1] == "*" else int(match[1]), _HOUR_MINUTES, int(match[2])))
    # Steps start again with each hour [EventBridge Scheduler user guide, cron expressions].
    return [later - sooner for sooner, later in pairwise([*ticks, ticks[0] + _HOUR_MINUTES])] if ticks else []


def schedule_problem(schedule_expression: str, life_seconds: float, advisory_seconds: float) -> str | None:
    """Return the problem that a schedule has with tokens valid for `life_seconds`, and the fix; None if it has none.

    A token must be replaced before its last `advisory_seconds` begin. Cron expressions are only checked if they are
    steps of minutes.
    """
    latest = life_seconds - advisory_seconds
    fix = f"Use rate() with at most {int(latest / 60)} minutes."
    if latest < _SHORTEST_RATE_SECONDS:
        fix = "No schedule fires often enough for that. Ask Talend for tokens that are valid for longer."
    gaps = gaps_minutes(schedule_expression)
    if len(set(gaps)) > 1:
        shown = ", ".join(str(gap) for gap in gaps)
        return f"{schedule_expression} leaves unequal gaps of {shown} minutes. {fix}"
    if gaps:
        longest = gaps[0] * 60
    elif schedule_expression.startswith("rate("):
        longest = interval_seconds(schedule_expression)
    else:
        return None
    if longest > latest:
        return f"{schedule_expression} is too rare for tokens that are valid for {life_seconds:.0f} s. {fix}"
    return None
