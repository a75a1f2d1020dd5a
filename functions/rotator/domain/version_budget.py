"""How many versions of a secret may still be spent on renewals. Pure: the time is an argument.

Secrets Manager keeps 100 versions of a secret and removes none that is younger than 24 hours, so a write past that
fails [Secrets Manager quotas]. The schedule needs 58 of them a day.
"""

from __future__ import annotations

from collections.abc import Sequence

VERSIONS_QUOTA = 100
DAY_SECONDS = 86_400
# Versions reserved for forced rotations after consumers use up the day's renewals.
RESERVED_FOR_FORCED_ROTATIONS = 10


def renewals_left(created: Sequence[float], now: float, tick_seconds: float) -> int:
    """Return how many more versions can be written now so that the schedule never meets the quota; 0 if none.

    `created` are the times at which the secret's versions were created, in seconds since the epoch, in any order. At
    each moment of the next 24 hours, the quota must hold the versions that are still younger than a day by then, the
    scheduled rotations until then, the reserved ones, and those that are written now.
    """
    young = sorted(moment for moment in created if moment > now - DAY_SECONDS)
    # The need is greatest just before a version comes of age, and at the end of the day.
    moments = [(moment + DAY_SECONDS - now, len(young) - position) for position, moment in enumerate(young)]
    needs = [existing + int(after / tick_seconds) + 1 for after, existing in [*moments, (DAY_SECONDS, 0)]]
    return max(0, VERSIONS_QUOTA - RESERVED_FOR_FORCED_ROTATIONS - max(needs))
