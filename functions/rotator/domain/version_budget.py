"""Computes how many versions of a secret may still be spent on renewals.

Secrets Manager keeps 100 versions of a secret and does not remove versions younger than 24 hours, so a write beyond
that fails [Secrets Manager quotas]. The schedule needs 58 of them a day.
"""

from __future__ import annotations

from collections.abc import Sequence

VERSIONS_QUOTA = 100
DAY_SECONDS = 86_400
# Versions reserved for forced rotations after consumers use up the day's renewals.
RESERVED_FOR_FORCED_ROTATIONS = 10


def renewals_left(created: Sequence[float], now: float, tick_seconds: float) -> int:
    """Return how many more versions can be written now so that the schedule never reaches the quota; 0 if none.

    `created` holds the creation times of the secret's versions in seconds since the epoch, in any order. At each moment
    of the next 24 hours, the quota must have room for the versions that are still younger than a day then, the
    scheduled rotations until then, the reserved versions, and those that are written now.
    """
    young = sorted(moment for moment in created if moment > now - DAY_SECONDS)
    # The need is greatest just before a version becomes a day old, and at the end of the 24 hours.
    moments = [(moment + DAY_SECONDS - now, len(young) - position) for position, moment in enumerate(young)]
    needs = [existing + int(after / tick_seconds) + 1 for after, existing in [*moments, (DAY_SECONDS, 0)]]
    return max(0, VERSIONS_QUOTA - RESERVED_FOR_FORCED_ROTATIONS - max(needs))
