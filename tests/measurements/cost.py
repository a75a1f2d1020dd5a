"""Compute what accounts cost a month and which limits of AWS they meet, for docs/cost-and-limits.md.

The prices and quotas are those of AWS's pages for us-east-1, without free tiers.
"""

from __future__ import annotations

from typing import NamedTuple

DAYS = 30
SECONDS = DAYS * 86_400
# The watchdog looks at the token every minute, and the schedule fires every 25.
LOOKS, ROTATIONS = DAYS * 1440, DAYS * 1440 // 25
RUNS = LOOKS + ROTATIONS
# A look is one read of Secrets Manager. A rotation is two reads and two writes.
READS, WRITES = LOOKS + 2 * ROTATIONS, 2 * ROTATIONS
SECRETS, SCHEDULES, ALARMS, SHARED_ALARMS = 2, 2, 3, 3
# A metric is billed by the hours in which it is written. The rare ones are written in 24 hours of a bad month.
STEADY_METRICS, RARE_METRICS, RARE_HOURS = 1, 5, 24
METRICS = STEADY_METRICS + RARE_METRICS * RARE_HOURS / (DAYS * 24)
# The run time is an assumption, because most runs are one read. 200 ms would cost 0.02 USD more.
MEMORY_GB, RUN_SECONDS, LOG_BYTES = 0.25, 0.05, 1_370

SECRET_USD, SECRETS_CALL_USD, ALARM_USD = 0.40, 0.05 / 10_000, 0.10
INVOCATION_USD, GB_SECOND_USD = 0.20 / 1e6, 0.0000133334
SCHEDULE_USD, LOCK_WRITE_USD, LOG_GB_USD = 1.00 / 1e6, 0.625 / 1e6, 0.50
# Of all accounts, the first ones cost more.
DEAR_METRICS, METRIC_USD, FURTHER_METRIC_USD = 10_000, 0.30, 0.10


def metrics_usd(count: float) -> float:
    """Return the price of custom metrics for a month, up to the 250,000 from which on they are cheaper still."""
    return METRIC_USD * min(count, DEAR_METRICS) + FURTHER_METRIC_USD * max(0, count - DEAR_METRICS)


def items(accounts: int = 1) -> dict[str, float]:
    """Return USD a month by item, without what all accounts share."""
    each = {
        "secrets": SECRETS * SECRET_USD,
        "Secrets Manager's calls": (READS + WRITES) * SECRETS_CALL_USD,
        "metrics": metrics_usd(METRICS * accounts) / accounts,
        "alarms": ALARMS * ALARM_USD,
        "invocations": RUNS * (INVOCATION_USD + RUN_SECONDS * MEMORY_GB * GB_SECOND_USD),
        "schedules": RUNS * SCHEDULE_USD,
        "logs": RUNS * LOG_BYTES / 1e9 * LOG_GB_USD,
        "lock table": ROTATIONS * 2 * LOCK_WRITE_USD,
    }
    return {name: accounts * usd for name, usd in each.items()}


class Limit(NamedTuple):
    """A quota, with what each account takes of it and what all accounts share."""

    name: str
    quota: int
    each: float
    shared: int = 0

    def taken(self, accounts: int) -> float:
        """Return how much of the quota is taken by so many accounts."""
        return accounts * self.each + self.shared


LIMITS = (
    Limit("writes of Secrets Manager a second", 50, WRITES / SECONDS),
    Limit("reads of Secrets Manager a second", 10_000, READS / SECONDS),
    Limit("schedules", 10_000_000, SCHEDULES),
    Limit("schedules fired a second", 1_000, RUNS / SECONDS),
    Limit("functions running at once", 1_000, RUNS * RUN_SECONDS / SECONDS),
    Limit("alarms", 5_000, ALARMS, SHARED_ALARMS),
    Limit("CloudFormation stacks", 2_000, 2, 1),
    Limit("managed policies", 1_500, 1, 1),
)
