"""How many versions of a secret may still be spent on renewals. Pure: the time is an argument.

Secrets Manager keeps 100 versions a secret and removes none that is younger than 24 hours; a write past that fails
[Secrets Manager quotas]. The schedule needs 58 of them a day.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

VERSIONS_QUOTA = 100
DAY_SECONDS = 86_400
# Forced rotations that a person can still make on a day on which consumers have spent all that they may.
RESERVED_FOR_A_PERSON = 10
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}
# What `cron(0/25 * * * ? *)` comes to on average: gaps of 25, 25 and 10 minutes.
_CRON_INTERVAL_SECONDS = 1200


def interval_seconds(schedule_expression: str) -> int:
    """Seconds between two ticks of a schedule: exact for `rate(...)`, and 20 minutes for anything else."""
    rate = _RATE.fullmatch(schedule_expression)
    return int(rate[1]) * _UNIT_SECONDS[rate[2]] if rate else _CRON_INTERVAL_SECONDS


def renewals_left(created: Sequence[float], now: float, tick_seconds: float) -> int:
    """How many more versions can be written now so that the schedule never meets the quota; 0 if none.

    `created` are the times at which the secret's versions were made, in seconds since the epoch, in any order. At each
    moment of the next 24 hours, what is still younger than a day by then, the ticks until then, what is kept for a
    person, and what is written now must fit into the quota together.
    """
    young = sorted(moment for moment in created if moment > now - DAY_SECONDS)
    # The need is greatest just before a version comes of age, and at the end of the day.
    moments = [(moment + DAY_SECONDS - now, len(young) - position) for position, moment in enumerate(young)]
    needs = [existing + int(after / tick_seconds) + 1 for after, existing in [*moments, (DAY_SECONDS, 0)]]
    return max(0, VERSIONS_QUOTA - RESERVED_FOR_A_PERSON - max(needs))
